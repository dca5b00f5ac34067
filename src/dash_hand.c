/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dash_hand.c - hands the one-time token to the user's browser and to nobody
 * else: in a file of this user's, never in an argument, the environment or an
 * address, which a history would keep; and tells whose process is at the other
 * end of a connection. Called by ctl_dashboard.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dash.h"

/* It sends the token as a form does: in the body of a POST. */
static const char page[] =
	"<!doctype html>\n"
	"<meta charset=\"utf-8\">\n"
	"<meta name=\"referrer\" content=\"no-referrer\">\n"
	"<title>stekd</title>\n"
	"<form method=\"post\" action=\"http://127.0.0.1:%u/\">\n"
	"<input type=\"hidden\" name=\"once\" value=\"%s\">\n"
	"</form>\n"
	"<noscript>The dashboard needs JavaScript.</noscript>\n"
	"<script>document.forms[0].submit()</script>\n";

static int make_dir(struct dash_hand *hand)
{
	const char *places[] = { getenv("XDG_RUNTIME_DIR"), "/tmp" };
	size_t i;

	for (i = 0; i < 2; i++) {
		if (places[i] == NULL || places[i][0] != '/' ||
		    strlen(places[i]) > 80)
			continue;
		snprintf(hand->dir, sizeof(hand->dir), "%s/stekctl.XXXXXX",
			 places[i]);
		if (mkdtemp(hand->dir) != NULL)	/* mode 0700 */
			return 0;
	}
	hand->dir[0] = '\0';
	return -1;
}

int dash_hand_write(struct dash_hand *hand, const char *once, unsigned port,
		    char *why, size_t why_len)
{
	FILE *out = NULL;
	int fd = -1;

	if (make_dir(hand) != 0)
		goto fail;
	snprintf(hand->file, sizeof(hand->file), "%s/dashboard.html",
		 hand->dir);
	fd = open(hand->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		goto fail;
	out = fdopen(fd, "w");
	if (out == NULL) {
		close(fd);
		goto fail;
	}
	fprintf(out, page, port, once);
	if (fclose(out) == 0)
		return 0;
fail:
	snprintf(why, why_len, "cannot write a file for the browser in %s: %s",
		 hand->dir[0] ? hand->dir : "/tmp", strerror(errno));
	dash_hand_remove(hand);
	return -1;
}

void dash_hand_remove(struct dash_hand *hand)
{
	if (hand->dir[0] == '\0')
		return;
	unlink(hand->file);
	rmdir(hand->dir);
	hand->dir[0] = '\0';
}

/* In the grandchild, which nobody waits for. */
static void browse(const char *file)
{
	int null = open("/dev/null", O_RDWR);

	if (setsid() < 0 || null < 0)
		_exit(1);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	execlp("xdg-open", "xdg-open", file, (char *)NULL);
	_exit(1);
}

bool dash_hand_open(const struct dash_hand *hand)
{
	sigset_t none;
	pid_t child;

	if (getenv("DISPLAY") == NULL && getenv("WAYLAND_DISPLAY") == NULL)
		return false;
	child = fork();
	if (child == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		if (fork() == 0)
			browse(hand->file);
		_exit(0);
	}
	return child > 0 && waitpid(child, NULL, 0) == child;
}

/* The kernel's word on who logged in: sudo and su do not change it. */
static bool logged_in(unsigned long *uid)
{
	FILE *in = fopen("/proc/self/loginuid", "r");
	/* NOLINTNEXTLINE(cert-err34-c): the kernel writes 32 bits */
	bool known = in != NULL && fscanf(in, "%lu", uid) == 1 &&
		     *uid != (uint32_t)-1;

	if (in != NULL)
		fclose(in);
	return known;
}

bool dash_peer_good(unsigned peer_port, unsigned port)
{
	FILE *in = fopen("/proc/net/tcp", "re");
	unsigned local_port, remote_port;
	unsigned long uid, login;
	unsigned long loopback = htonl(INADDR_LOOPBACK), local, remote;
	bool good = false;
	char line[256];

	while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
		/* NOLINTNEXTLINE(cert-err34-c): the kernel's 32 and 16 bits */
		if (sscanf(line, " %*u: %lx:%x %lx:%x %*x %*x:%*x %*x:%*x %*x "
			   "%lu", &local, &local_port, &remote, &remote_port,
			   &uid) != 5 || local_port != peer_port ||
		    remote_port != port || remote != loopback ||
		    local != loopback)
			continue;
		good = uid == geteuid() || uid == 0 ||
		       (geteuid() == 0 && logged_in(&login) && uid == login);
		break;
	}
	if (in != NULL)
		fclose(in);
	return good;
}
