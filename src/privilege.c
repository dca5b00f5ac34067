/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * privilege.c - hardens the process and makes it an ordinary user's once its
 * ports are bound and its keys are read. What that user must be able to read
 * later is looked at here, not at the first reload. Called by stekd.c.
 */
#include "privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

/* Keys live in locked pages; more than any ring needs. */
#define LOCKED_MIN (64UL * 1024 * 1024)

/* LeakSanitizer traces its own process, which an undumpable one refuses. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static void make_undumpable(void)
{
	if (!SANITIZED)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* Root locks memory without a limit; the user that it becomes does not. */
static void keep_locked_memory(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
		return;
	if (geteuid() == 0 && limit.rlim_max < LOCKED_MIN)
		limit.rlim_max = LOCKED_MIN;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_MEMLOCK, &limit);
}

void privilege_harden(void)
{
	const struct rlimit none = { 0, 0 };
	struct rlimit files;

	make_undumpable();
	keep_locked_memory();
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &none);
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* All three of each, and no way back. */
static bool is_for_good(const struct settings *settings)
{
	uid_t real, effective, saved;
	gid_t rgid, egid, sgid;

	if (getresuid(&real, &effective, &saved) != 0 ||
	    getresgid(&rgid, &egid, &sgid) != 0)
		return false;
	if (real != settings->uid || effective != settings->uid ||
	    saved != settings->uid || rgid != settings->gid ||
	    egid != settings->gid || sgid != settings->gid)
		return false;
	return setuid(0) != 0 && seteuid(0) != 0 &&
	       (settings->gid == 0 || setegid(0) != 0);
}

static int become(const struct settings *settings, char *why, size_t why_len)
{
	const char *what = "the groups of";

	if (initgroups(settings->user, settings->gid) == 0) {
		what = "the group of";
		if (setresgid(settings->gid, settings->gid,
			      settings->gid) == 0) {
			what = "the user";
			if (setresuid(settings->uid, settings->uid,
				      settings->uid) == 0)
				return 0;
		}
	}
	snprintf(why, why_len, "cannot take %s %s: %s", what, settings->user,
		 strerror(errno));
	return -1;
}

bool privilege_borrow(const struct settings *settings, const char *path)
{
	struct stat st;

	if (settings->user == NULL || geteuid() != 0 || stat(path, &st) != 0 ||
	    st.st_uid != settings->uid)
		return false;
	return seteuid(settings->uid) == 0;
}

int privilege_return(bool borrowed)
{
	return borrowed ? seteuid(0) : 0;
}

static bool may(const char *path, int how)
{
	return path == NULL || faccessat(AT_FDCWD, path, how, AT_EACCESS) == 0;
}

static int refuse(const struct settings *settings, const char *path, char *why,
		  size_t why_len)
{
	snprintf(why, why_len, "user %s has no access to %s (%s), which is "
		 "needed while stekd runs", settings->user, path,
		 strerror(errno));
	return -1;
}

/* Read or written all the time, not only at the start. */
static int check_needed(const struct settings *settings, char *why,
			size_t why_len)
{
	size_t i, j;

	if (!may(settings->state_dir, W_OK | X_OK))
		return refuse(settings, settings->state_dir, why, why_len);
	for (i = 0; i < settings->n_stores; i++) {
		const struct settings_store *store = &settings->stores[i];
		const char *const files[] = {
			store->password_file, store->ca, store->certificate,
			store->key, store->sentinel_password_file,
		};

		for (j = 0; j < sizeof(files) / sizeof(files[0]); j++)
			if (!may(files[j], R_OK))
				return refuse(settings, files[j], why,
					      why_len);
	}
	return 0;
}

static void warn(const struct settings *settings, const char *path)
{
	if (!may(path, R_OK))
		log_event(LOG_WARN, "a reload will fail: the user cannot read "
			  "this file", "user", LOG_STR, settings->user, "file",
			  LOG_STR, path, NULL);
}

/* What only a reload reads again may stay root's, if none is wanted. */
static void warn_of_reloads(const struct settings *settings,
			    const char *config)
{
	size_t i;

	warn(settings, config);
	warn(settings, settings->farm_key);
	warn(settings, settings->admin_token_file);
	warn(settings, settings->client_deny);
	for (i = 0; i < settings->n_hosts; i++) {
		warn(settings, settings->hosts[i].certificate);
		warn(settings, settings->hosts[i].key);
		warn(settings, settings->hosts[i].client_ca);
		warn(settings, settings->hosts[i].client_crl);
	}
}

int privilege_drop(const struct settings *settings, const char *config,
		   char *why, size_t why_len)
{
	if (settings->user == NULL)
		return 0;
	if (geteuid() != 0 && geteuid() != settings->uid) {
		snprintf(why, why_len, "only root can become user %s",
			 settings->user);
		return -1;
	}
	if (geteuid() == 0 && become(settings, why, why_len) != 0)
		return -1;
	if (!is_for_good(settings)) {
		snprintf(why, why_len, "the process did not become user %s for "
			 "good", settings->user);
		return -1;
	}
	/* The kernel sets it anew at each change of user. */
	make_undumpable();
	if (check_needed(settings, why, why_len) != 0)
		return -1;
	warn_of_reloads(settings, config);
	return 0;
}
