/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One HTTP request to the admin endpoint by libcurl: over the Unix socket, over
 * loopback TCP with a bearer token, or by TLS (ctl_remote.c). The token travels
 * in a header only: never on a command line, never in the environment, never in
 * a message.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl_curl.h"

#define CONNECT_TIMEOUT_MS 5000L
#define REQUEST_TIMEOUT_MS 30000L	/* a revocation waits up to 10 s */

struct collected {
	char *data;
	size_t len;
};

bool ctl_url_valid(const char *url)
{
	char *scheme = NULL, *host = NULL, *path = NULL, *user = NULL;
	char *query = NULL;
	CURLU *parts = curl_url();
	bool valid = false;

	if (!parts || curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK)
		goto out;
	if (curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    curl_url_get(parts, CURLUPART_PATH, &path, 0) != CURLUE_OK)
		goto out;
	curl_url_get(parts, CURLUPART_USER, &user, 0);
	curl_url_get(parts, CURLUPART_QUERY, &query, 0);
	valid = strcmp(scheme, "http") == 0 && strcmp(path, "/") == 0 &&
		!user && !query &&
		(strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
		 (strncmp(host, "127.", 4) == 0 &&
		  host[strspn(host, "0123456789.")] == '\0'));
out:
	curl_free(scheme);
	curl_free(host);
	curl_free(path);
	curl_free(user);
	curl_free(query);
	curl_url_cleanup(parts);
	return valid;
}

int ctl_secret_check(int fd, const char *path, char *why, size_t why_len)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		snprintf(why, why_len, "%s: not a regular file", path);
		return -1;
	}
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		snprintf(why, why_len, "%s: belongs to somebody else", path);
		return -1;
	}
	if (st.st_mode & (S_IRWXG | S_IRWXO)) {
		snprintf(why, why_len,
			 "%s: mode %04o, expected 0600: group and others must "
			 "have no access", path, (unsigned)st.st_mode & 07777);
		return -1;
	}
	return 0;
}

/* One line of printable characters without spaces; cuts the line's end. */
static int token_check_text(char *text)
{
	size_t len = strcspn(text, "\r\n");

	if (text[len + strspn(text + len, "\r\n")] != '\0')
		return -1;
	text[len] = '\0';
	for (const char *p = text; *p; p++) {
		if (*p <= 0x20 || *p >= 0x7f)
			return -1;
	}
	return len > 0 ? 0 : -1;
}

int ctl_token_read(char out[CTL_TOKEN_MAX], const char *path, char *why,
		   size_t why_len)
{
	char text[CTL_TOKEN_MAX] = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int result = -1;
	ssize_t len;

	if (fd < 0) {
		snprintf(why, why_len, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (ctl_secret_check(fd, path, why, why_len) != 0)
		goto out;
	len = read(fd, text, sizeof(text) - 1);
	if (len <= 0 || (size_t)len == sizeof(text) - 1 ||
	    strlen(text) != (size_t)len || token_check_text(text) != 0) {
		snprintf(why, why_len, "%s: expected one line with the token",
			 path);
		goto out;
	}
	memcpy(out, text, sizeof(text));
	result = 0;
out:
	explicit_bzero(text, sizeof(text));
	close(fd);
	return result;
}

void ctl_token_wipe(struct ctl_target *target)
{
	explicit_bzero(target->token, sizeof(target->token));
	explicit_bzero(target->passphrase, sizeof(target->passphrase));
}

static size_t collect(char *data, size_t size, size_t n, void *user)
{
	struct collected *body = user;
	size_t len = size * n;
	char *grown;

	if (len > CTL_REPLY_MAX - body->len)
		return 0;
	grown = realloc(body->data, body->len + len + 1);
	if (!grown)
		return 0;
	memcpy(grown + body->len, data, len);
	body->data = grown;
	body->len += len;
	return len;
}

struct curl_slist *ctl_curl_header(struct curl_slist *list, const char *text)
{
	struct curl_slist *longer = curl_slist_append(list, text);

	if (!longer)
		curl_slist_free_all(list);
	return longer;
}

struct curl_slist *ctl_curl_token(struct curl_slist *list,
				  const struct ctl_target *target)
{
	char line[CTL_TOKEN_MAX + 32];

	if (!list || !target->url || !target->token[0])
		return list;
	snprintf(line, sizeof(line), "Authorization: Bearer %s",
		 target->token);
	list = ctl_curl_header(list, line);
	explicit_bzero(line, sizeof(line));
	return list;
}

static struct curl_slist *make_headers(const struct ctl_target *target,
				       bool post, const char *name,
				       const char *if_match)
{
	struct curl_slist *list;
	char line[128];

	list = ctl_curl_header(NULL, "Accept: application/json, "
				     "application/problem+json");
	if (list && post)
		list = ctl_curl_header(list, "Content-Type: application/json");
	if (list && name) {
		snprintf(line, sizeof(line), "Idempotency-Key: %s", name);
		list = ctl_curl_header(list, line);
	}
	if (list && if_match) {
		snprintf(line, sizeof(line), "If-Match: %s", if_match);
		list = ctl_curl_header(list, line);
	}
	return ctl_curl_token(list, target);
}

void ctl_curl_headers_free(struct curl_slist *list)
{
	for (struct curl_slist *p = list; p; p = p->next)
		explicit_bzero(p->data, strlen(p->data));
	curl_slist_free_all(list);
}

void ctl_curl_explain(const struct ctl_target *target, CURLcode code,
		      const char *detail, char *why, size_t why_len)
{
	const char *where = target->url ? target->url : target->socket;
	const char *hint = "";

	if (code == CURLE_COULDNT_CONNECT && target->cert)
		hint = "; does stekd listen there, with a host with backend: "
		       "admin?";
	else if (code == CURLE_COULDNT_CONNECT && target->url)
		hint = "; does stekd run with admin.listen at this address?";
	else if (code == CURLE_COULDNT_CONNECT && access(where, F_OK) != 0)
		hint = "; no such socket: does stekd run? --socket names "
		       "another (admin.socket in stekd.yaml)";
	else if (code == CURLE_COULDNT_CONNECT && access(where, W_OK) != 0)
		hint = "; permission denied: run as root or as stekd's user";
	else if (code == CURLE_COULDNT_CONNECT)
		hint = "; nobody answers at the socket: does stekd run?";
	/* Of a socket libcurl would name the host and port of the URL. */
	if (hint[0] || !detail[0])
		detail = curl_easy_strerror(code);
	snprintf(why, why_len, "cannot reach stekd at %s: %s%s", where, detail,
		 hint);
}

CURLcode ctl_curl_aim(CURL *curl, const struct ctl_target *target,
		      const char *path, char detail[CURL_ERROR_SIZE])
{
	const char *base = target->url ? target->url : "http://localhost";
	size_t base_len = strlen(base);
	char url[1024];

	while (base_len > 0 && base[base_len - 1] == '/')
		base_len--;
	snprintf(url, sizeof(url), "%.*s%s", (int)base_len, base, path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "stekctl");
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, REQUEST_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
	if (target->cert)
		ctl_curl_certificate(curl, target);
	if (!target->url)
		return curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH,
					target->socket);
	return CURLE_OK;
}

static CURLcode set_up(CURL *curl, const struct ctl_target *target,
		       const char *path, const char *body,
		       struct curl_slist *headers, struct collected *into,
		       char *detail)
{
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, into);
	if (body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	return ctl_curl_aim(curl, target, path, detail);
}

enum ctl_exit ctl_request_if(const struct ctl_target *target, const char *path,
			     const char *name, const char *if_match,
			     const json_t *body, struct ctl_reply *out,
			     char *why, size_t why_len)
{
	char detail[CURL_ERROR_SIZE] = "";
	struct collected answer = {0};
	struct curl_slist *headers = NULL;
	char *text = NULL;
	CURLcode code = CURLE_OUT_OF_MEMORY;
	CURL *curl = curl_easy_init();

	if (body)
		text = json_dumps(body, JSON_COMPACT);
	headers = make_headers(target, body != NULL, name, if_match);
	if (curl && headers && (!body || text)) {
		code = set_up(curl, target, path, text, headers, &answer,
			      detail);
		if (code == CURLE_OK)
			code = curl_easy_perform(curl);
	}
	if (code == CURLE_OK) {
		curl_off_t retry = 0;

		*out = (struct ctl_reply){0};
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &out->status);
		curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry);
		out->retry_after_s = (long)retry;
		out->body = json_loadb(answer.data ? answer.data : "",
				       answer.len, 0, NULL);
	} else {
		ctl_curl_explain(target, code, detail, why, why_len);
	}
	ctl_curl_headers_free(headers);
	free(answer.data);
	free(text);
	curl_easy_cleanup(curl);
	return code == CURLE_OK ? CTL_OK : CTL_UNREACHABLE;
}

enum ctl_exit ctl_request_named(const struct ctl_target *target,
				const char *path, const char *name,
				const json_t *body, struct ctl_reply *out,
				char *why, size_t why_len)
{
	return ctl_request_if(target, path, name, NULL, body, out, why,
			      why_len);
}

enum ctl_exit ctl_request(const struct ctl_target *target, const char *path,
			  const json_t *body, struct ctl_reply *out, char *why,
			  size_t why_len)
{
	return ctl_request_named(target, path, NULL, body, out, why, why_len);
}

void ctl_reply_clear(struct ctl_reply *reply)
{
	json_decref(reply->body);
	*reply = (struct ctl_reply){0};
}

bool ctl_name(char *out, size_t len)
{
	uint8_t bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(out + 2 * i, len - 2 * i, "%02x", bytes[i]);
	return true;
}

bool ctl_tag(char out[CTL_TAG_LEN], const char *text)
{
	size_t digits = strspn(text, "0123456789");
	const char *digest = text + digits;

	if (digits == 0 || digits > 20 || (text[0] == '0' && digits > 1))
		return false;
	if (*digest != '\0' &&
	    (*digest != '-' || strlen(digest + 1) != 64 ||
	     strspn(digest + 1, "0123456789abcdef") != 64))
		return false;
	snprintf(out, CTL_TAG_LEN, "\"%s\"", text);
	return true;
}
