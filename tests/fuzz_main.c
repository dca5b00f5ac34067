/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_main.c - main() of a fuzz target in a build without libFuzzer. It gives
 * every file named on the command line, and every file of a directory, to
 * LLVMFuzzerTestOneInput() once: make check replays tests/corpus/ this way
 * under any compiler and sanitizer. libFuzzer's options are ignored.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static unsigned replayed;

static int replay_file(const char *path)
{
	uint8_t *data = NULL;
	size_t len;
	int rc = -1;
	FILE *file = fopen(path, "rb");

	if (!file)
		goto out;
	data = malloc(INPUT_MAX);
	if (!data)
		goto out;
	len = fread(data, 1, INPUT_MAX, file);
	if (ferror(file))
		goto out;
	/* A block of the exact size lets a sanitizer see the first byte past it. */
	if (len > 0) {
		uint8_t *exact = realloc(data, len);

		if (!exact)
			goto out;
		data = exact;
	}
	(void)LLVMFuzzerTestOneInput(data, len);
	replayed++;
	rc = 0;
out:
	if (rc)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	free(data);
	if (file)
		fclose(file);
	return rc;
}

static int replay_directory(const char *path)
{
	char name[PATH_MAX];
	struct dirent *entry;
	int rc = 0;
	DIR *directory = opendir(path);

	if (!directory) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (replay_file(name))
			rc = -1;
	}
	closedir(directory);
	return rc;
}

int main(int argc, char **argv)
{
	struct stat st;
	int rc = 0;
	int i;

	for (i = 1; i < argc; i++) {
		if (argv[i][0] == '-')
			continue;
		if (!stat(argv[i], &st) && S_ISDIR(st.st_mode)) {
			if (replay_directory(argv[i]))
				rc = 1;
		} else if (replay_file(argv[i])) {
			rc = 1;
		}
	}
	printf("%u inputs replayed\n", replayed);
	return rc || replayed == 0;
}
