/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_memory.c - looks for a farm's secrets (needles.h) in the memory of a
 * running process, as root can: every mapping that is readable, through
 * /proc/PID/mem. Called by tests/keys_8_memory.sh.
 *
 *	helper_memory FARM FARM_KEY_FILE KEPT_RING[,...] TEXT_FILE|- VERB PID
 *
 * anywhere: a finding is any secret in any mapping that can be read. unlocked:
 * only outside mappings that are locked, left out of cores and empty in a
 * child. destroyed: only ring keys, but anywhere. Prints findings, then what was
 * read; exit 0 none, 1 some, 2 could not look.
 *
 *	helper_memory FARM FARM_KEY_FILE KEPT_RING[,...] TEXT_FILE|- hold
 *
 * holds them in its own memory, where the search must find them: prints
 * "holding" and waits for the end of its input.
 *
 *	helper_memory without-memfd-secret COMMAND...
 *
 * runs the command on a kernel that seems to lack memfd_secret(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "needles.h"

#define CHUNK (1 << 20)

struct mapping {
	unsigned long from, to;
	bool readable, locked;
	char name[256];
};

struct look {
	const char *verb;
	struct mapping mapping;
	unsigned long chunk;	/* address of the bytes under search */
	size_t edge;		/* findings from there on belong to the next */
	size_t findings, mappings, closed;
	size_t bytes;
	uint8_t data[CHUNK + NEEDLE_FORM_MAX];
};

static void note(void *user, size_t at, size_t i, int form)
{
	struct look *look = user;
	enum needle_kind kind = needles_at(i)->kind;

	if (at >= look->edge)
		return;
	if (!strcmp(look->verb, "unlocked") && look->mapping.locked)
		return;
	if (!strcmp(look->verb, "destroyed") && kind != NEEDLE_RING_KEY)
		return;
	printf("%lx in %lx-%lx %s: %s %zu, form %d\n", look->chunk + at,
	       look->mapping.from, look->mapping.to, look->mapping.name,
	       needles_name(kind), i, form);
	look->findings++;
}

/* Reads what can be read; secret memory answers EIO, [vvar] too. */
static void look_into(struct look *look, int mem)
{
	const struct mapping *m = &look->mapping;
	bool any = false;

	for (unsigned long at = m->from; at < m->to; at += CHUNK) {
		size_t want = m->to - at;
		ssize_t n;

		if (want > sizeof(look->data))
			want = sizeof(look->data);
		n = pread(mem, look->data, want, (off_t)at);
		if (n <= 0)
			continue;
		any = true;
		look->chunk = at;
		look->edge = CHUNK;
		look->bytes += (size_t)n < CHUNK ? (size_t)n : CHUNK;
		needles_search(look->data, (size_t)n, note, look);
	}
	look->mappings += any;
	look->closed += !any;
	explicit_bzero(look->data, sizeof(look->data));
}

static bool has_flag(const char *flags, const char *flag)
{
	const char *at = strstr(flags, flag);

	return at && at[-1] == ' ' && at[2] == ' ';
}

/*
 * /proc/PID/smaps: a header line for each mapping, then its facts, of which
 * VmFlags is the last.
 */
static void look_at_all(struct look *look, FILE *smaps, int mem)
{
	struct mapping *m = &look->mapping;
	char line[4096], perms[8];

	while (fgets(line, sizeof(line), smaps)) {
		unsigned long from, to;
		int name = 0;

		/* "Anonymous:" begins with a hexadecimal digit too. */
		if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %n", &from, &to,
			   perms, &name) == 3 && name > 0) {
			m->from = from;
			m->to = to;
			m->readable = perms[0] == 'r';
			line[strcspn(line, "\n")] = '\0';
			snprintf(m->name, sizeof(m->name), "%.200s",
				 line + name);
			continue;
		}
		if (strncmp(line, "VmFlags:", 8) != 0)
			continue;
		m->locked = has_flag(line, "lo") && has_flag(line, "dd") &&
			    (has_flag(line, "wf") || has_flag(line, "dc"));
		if (m->readable)
			look_into(look, mem);
	}
}

static int look_at_process(const char *verb, const char *pid)
{
	struct look *look = calloc(1, sizeof(*look));
	char path[64];
	FILE *smaps;
	int mem;

	snprintf(path, sizeof(path), "/proc/%s/mem", pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	if (mem < 0 || !look)
		needles_die(path, strerror(errno));
	snprintf(path, sizeof(path), "/proc/%s/smaps", pid);
	smaps = fopen(path, "re");
	if (!smaps)
		needles_die(path, strerror(errno));
	look->verb = verb;
	look_at_all(look, smaps, mem);
	if (look->bytes == 0)
		needles_die(path, "nothing could be read");
	printf("%zu found; %zu secrets in %d forms, %zu mappings, %zu KiB, "
	       "%zu mappings closed\n", look->findings, needles_count(),
	       NEEDLE_FORMS, look->mappings, look->bytes / 1024, look->closed);
	return look->findings > 0;
}

static int hold(void)
{
	size_t n = needles_count();
	char (*held)[NEEDLE_FORM_MAX] = calloc(n * NEEDLE_FORMS, sizeof(*held));

	if (!held)
		needles_die("hold", "no memory");
	for (size_t i = 0; i < n * NEEDLE_FORMS; i++)
		needles_form(held[i], i / NEEDLE_FORMS,
			     (int)(i % NEEDLE_FORMS));
	puts("holding");
	fflush(stdout);
	while (getchar() != EOF)
		;
	free(held);
	return 0;
}

static int without(char **command)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 447, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]),
				      filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		needles_die("seccomp", strerror(errno));
	execvp(command[0], command);
	needles_die(command[0], strerror(errno));
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "without-memfd-secret"))
		return without(argv + 2);
	if (argc < 6)
		needles_die("usage", "see the head of helper_memory.c");
	needles_read(argv[1], argv[2], argv[3], argv[4]);
	if (!strcmp(argv[5], "hold"))
		return hold();
	if (argc < 7)
		needles_die("usage", "no process is named");
	return look_at_process(argv[5], argv[6]);
}
