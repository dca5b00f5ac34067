/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekctl at a host with `backend: admin`: which URLs, the files of the client
 * certificate, and libcurl's options for them. A key or passphrase that others
 * may read is refused; a passphrase is never an argument.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ctl_curl.h"

bool ctl_url_is_remote(const char *url)
{
	static const CURLUPart none[] = {
		CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY,
		CURLUPART_FRAGMENT,
	};
	char *part = NULL;
	CURLU *parts = curl_url();
	bool good = parts &&
		curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
		strncmp(url, "https://", 8) == 0;

	if (good && curl_url_get(parts, CURLUPART_PATH, &part, 0) == CURLUE_OK)
		good = strcmp(part, "/") == 0;
	curl_free(part);
	for (size_t i = 0; good && i < sizeof(none) / sizeof(none[0]); i++) {
		part = NULL;
		good = curl_url_get(parts, none[i], &part, 0) != CURLUE_OK;
		curl_free(part);
	}
	curl_url_cleanup(parts);
	return good;
}

static int open_file(const char *path, char *why, size_t why_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		snprintf(why, why_len, "%s: %s", path, strerror(errno));
	return fd;
}

/* What libcurl says of a file that is not there names none. */
static int check_file(const char *path, bool secret, char *why, size_t why_len)
{
	int fd = open_file(path, why, why_len);
	int result;

	if (fd < 0)
		return -1;
	result = secret ? ctl_secret_check(fd, path, why, why_len) : 0;
	close(fd);
	return result;
}

/* One line; blanks are a part of it. */
static int read_passphrase(char out[CTL_TOKEN_MAX], const char *path,
			   char *why, size_t why_len)
{
	char text[CTL_TOKEN_MAX] = {0};
	int fd = open_file(path, why, why_len), result = -1;
	ssize_t len;
	size_t line;

	if (fd < 0)
		return -1;
	if (ctl_secret_check(fd, path, why, why_len) != 0)
		goto out;
	len = read(fd, text, sizeof(text) - 1);
	line = strcspn(text, "\r\n");
	if (len <= 0 || (size_t)len == sizeof(text) - 1 || line == 0 ||
	    line + strspn(text + line, "\r\n") != (size_t)len) {
		snprintf(why, why_len, "%s: expected one line with the "
			 "passphrase", path);
		goto out;
	}
	memcpy(out, text, line);
	out[line] = '\0';
	result = 0;
out:
	explicit_bzero(text, sizeof(text));
	close(fd);
	return result;
}

const char *ctl_way_wrong(const struct ctl_target *target,
			  const char *token_file, const char *passphrase_file)
{
	bool remote = target->url && ctl_url_is_remote(target->url);

	if (token_file && !target->url)
		return "--token-file goes with --url";
	if (token_file && remote)
		return "--token-file goes with http://127.0.0.1, --cert with "
		       "https://";
	if (remote && !target->cert)
		return "https:// needs --cert";
	if (!remote && (target->cert || target->key || target->ca ||
			passphrase_file))
		return "--cert, --key, --ca and --passphrase-file go with "
		       "--url https://";
	return NULL;
}

int ctl_way_prepare(struct ctl_target *target, const char *token_file,
		    const char *passphrase_file, char *why, size_t why_len)
{
	if (token_file)
		return ctl_token_read(target->token, token_file, why, why_len);
	if (!target->cert)
		return 0;
	if (!target->key)
		target->key = target->cert;
	if (check_file(target->cert, false, why, why_len) != 0 ||
	    check_file(target->key, true, why, why_len) != 0 ||
	    (target->ca && check_file(target->ca, false, why, why_len) != 0))
		return -1;
	return passphrase_file ? read_passphrase(target->passphrase,
						 passphrase_file, why, why_len)
			       : 0;
}

void ctl_curl_certificate(CURL *curl, const struct ctl_target *target)
{
	curl_easy_setopt(curl, CURLOPT_SSLVERSION,
			 (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION,
			 (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_SSLCERT, target->cert);
	curl_easy_setopt(curl, CURLOPT_SSLKEY, target->key);
	if (target->ca)
		curl_easy_setopt(curl, CURLOPT_CAINFO, target->ca);
	/* Without it OpenSSL asks at the terminal, where one is needed. */
	if (target->passphrase[0])
		curl_easy_setopt(curl, CURLOPT_KEYPASSWD, target->passphrase);
}
