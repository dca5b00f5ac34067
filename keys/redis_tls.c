// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redis_tls.c - TLS by wolfSSL under hiredis, through its transport hooks: TLS
 * 1.2 at least, the server verified against one CA file and by name. The files
 * are read for each connection, so renewed ones need no restart. Called by
 * redis_conn.c, and by redis_url.c to check the files.
 */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "redis_conn.h"
#include "secret_file.h"

struct tls {
	WOLFSSL_CTX *ctx;
	WOLFSSL *ssl;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start_library(void)
{
	/* For good: its memory is the process's other users' too. */
	(void)wolfSSL_Init();
}

static void tls_free(void *privctx)
{
	struct tls *tls = privctx;

	if (!tls)
		return;
	wolfSSL_free(tls->ssl);
	wolfSSL_CTX_free(tls->ctx);
	free(tls);
}

static void tls_close(redisContext *conn)
{
	struct tls *tls = conn->privctx;

	if (conn->fd < 0)
		return;
	/* Says goodbye; does not wait for the answer. */
	if (tls && tls->ssl)
		wolfSSL_shutdown(tls->ssl);
	close(conn->fd);
	conn->fd = -1;
}

static const char *text_of(int error, char *buf, size_t len)
{
	wolfSSL_ERR_error_string_n((unsigned long)error, buf,
				   (unsigned long)len);
	return buf;
}

/* REDIS_ERR_OTHER stands for: one side's TLS does not accept the other's. */
static ssize_t failed(redisContext *conn, struct tls *tls, int ret)
{
	int error = wolfSSL_get_error(tls->ssl, ret);
	WOLFSSL_ALERT_HISTORY alerts;
	char text[WOLFSSL_MAX_ERROR_SZ];

	if (error == WOLFSSL_ERROR_WANT_READ ||
	    error == WOLFSSL_ERROR_WANT_WRITE)
		return 0;
	conn->err = REDIS_ERR_OTHER;
	memset(&alerts, 0, sizeof(alerts));
	/* After a handshake SOCKET_PEER_CLOSED_E is told as SYSCALL. */
	if (error == WOLFSSL_ERROR_ZERO_RETURN || error == SOCKET_ERROR_E ||
	    error == SOCKET_PEER_CLOSED_E || error == WOLFSSL_ERROR_SYSCALL) {
		conn->err = REDIS_ERR_EOF;
		snprintf(conn->errstr, sizeof(conn->errstr),
			 "Server closed the connection");
	} else if (error == FATAL_ERROR &&
		   wolfSSL_get_alert_history(tls->ssl, &alerts) ==
			   WOLFSSL_SUCCESS && alerts.last_rx.code >= 0) {
		snprintf(conn->errstr, sizeof(conn->errstr),
			 "TLS: the server's alert %d", alerts.last_rx.code);
	} else {
		snprintf(conn->errstr, sizeof(conn->errstr), "TLS: %.100s",
			 text_of(error, text, sizeof(text)));
	}
	return -1;
}

static ssize_t tls_read(redisContext *conn, char *buf, size_t cap)
{
	struct tls *tls = conn->privctx;
	int n = wolfSSL_read(tls->ssl, buf, (int)cap);

	return n > 0 ? n : failed(conn, tls, n);
}

static ssize_t tls_write(redisContext *conn)
{
	struct tls *tls = conn->privctx;
	int n = wolfSSL_write(tls->ssl, conn->obuf, (int)sdslen(conn->obuf));

	return n > 0 ? n : failed(conn, tls, n);
}

static const redisContextFuncs funcs = {
	.close = tls_close,
	.free_privctx = tls_free,
	.read = tls_read,
	.write = tls_write,
};

bool stek__redis_tls_pending(const redisContext *conn)
{
	struct tls *tls = conn->privctx;

	return tls && wolfSSL_pending(tls->ssl) > 0;
}

int stek__redis_tls_write(redisContext *conn, const void *data, size_t len)
{
	struct tls *tls = conn->privctx;

	return wolfSSL_write(tls->ssl, data, (int)len);
}

/* A key that others can read is no secret any more. */
static int check_key_mode(const char *path, char *why, size_t why_len)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		snprintf(why, why_len, "store key %s: %s", path,
			 strerror(errno));
		return STEK_EIO;
	}
	if (!stek__secret_file_good(&st, path)) {
		snprintf(why, why_len, "store key %s: mode %04o, expected a"
			 " file that only its owner can read (0600)", path,
			 (unsigned)(st.st_mode & 07777));
		return STEK_EMODE;
	}
	return 0;
}

static int bad_file(char *why, size_t why_len, const char *option,
		    const char *path, int error)
{
	char text[WOLFSSL_MAX_ERROR_SZ];

	if (access(path, R_OK) != 0)
		snprintf(why, why_len, "store %s %s: %s", option, path,
			 strerror(errno));
	else
		snprintf(why, why_len, "store %s %s: %s", option, path,
			 error < 0 ? text_of(error, text, sizeof(text)) :
				     "does not fit");
	return STEK_EINVAL;
}

static int load_own(WOLFSSL_CTX *ctx, const struct stek_redis_tls *tls,
		    char *why, size_t why_len)
{
	int ret;

	if (!tls->certificate[0])
		return 0;
	ret = check_key_mode(tls->key, why, why_len);
	if (ret)
		return ret;
	ret = wolfSSL_CTX_use_certificate_chain_file(ctx, tls->certificate);
	if (ret != WOLFSSL_SUCCESS)
		return bad_file(why, why_len, "certificate", tls->certificate,
				ret);
	ret = wolfSSL_CTX_use_PrivateKey_file(ctx, tls->key,
					      WOLFSSL_FILETYPE_PEM);
	if (ret != WOLFSSL_SUCCESS)
		return bad_file(why, why_len, "key", tls->key, ret);
	if (wolfSSL_CTX_check_private_key(ctx) != WOLFSSL_SUCCESS)
		return bad_file(why, why_len, "key", tls->key, 0);
	return 0;
}

static int context(WOLFSSL_CTX **out, const struct stek_redis_tls *tls,
		   char *why, size_t why_len)
{
	WOLFSSL_CTX *ctx;
	int ret;

	pthread_once(&once, start_library);
	ctx = wolfSSL_CTX_new(wolfSSLv23_client_method());
	if (!ctx)
		return STEK_ENOMEM;
	wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER, NULL);
	if (wolfSSL_CTX_SetMinVersion(ctx, WOLFSSL_TLSV1_2) !=
	    WOLFSSL_SUCCESS) {
		snprintf(why, why_len, "store: no TLS 1.2 in the library");
		wolfSSL_CTX_free(ctx);
		return STEK_ELIBRARY;
	}
	ret = wolfSSL_CTX_load_verify_locations(ctx, tls->ca, NULL);
	ret = ret != WOLFSSL_SUCCESS ?
	      bad_file(why, why_len, "ca", tls->ca, ret) :
	      load_own(ctx, tls, why, why_len);
	if (ret) {
		wolfSSL_CTX_free(ctx);
		return ret;
	}
	*out = ctx;
	return 0;
}

int stek__redis_tls_check(const struct stek_redis_tls *tls, char *why,
			  size_t why_len)
{
	WOLFSSL_CTX *ctx = NULL;
	int err;

	err = context(&ctx, tls, why, why_len);
	wolfSSL_CTX_free(ctx);
	return err;
}

/* An address in binary form; 0 when the name is none. */
static size_t binary_address(const char *name, uint8_t out[16])
{
	if (inet_pton(AF_INET, name, out) == 1)
		return 4;
	return inet_pton(AF_INET6, name, out) == 1 ? 16 : 0;
}

static bool peer_has(WOLFSSL *ssl, const uint8_t *ip, size_t ip_len)
{
	WOLFSSL_X509 *peer = wolfSSL_get_peer_certificate(ssl);
	const unsigned char *der = NULL;
	bool found;
	int len = 0;

	if (peer)
		der = wolfSSL_X509_get_der(peer, &len);
	found = der && stek__redis_peer_has(der, (size_t)len, ip, ip_len);
	wolfSSL_X509_free(peer);
	return found;
}

static int shake_hands(redisContext *conn, WOLFSSL *ssl, int64_t deadline_ms,
		       char *detail, size_t detail_len)
{
	struct tls *tls = conn->privctx;
	int ret, error;

	while ((ret = wolfSSL_connect(ssl)) != WOLFSSL_SUCCESS) {
		error = wolfSSL_get_error(ssl, ret);
		if (failed(conn, tls, ret) < 0) {
			snprintf(detail, detail_len, "%s", conn->errstr);
			return conn->err == REDIS_ERR_OTHER ?
			       STEK_EREFUSED : STEK_EUNAVAILABLE;
		}
		if (!stek__redis_await(conn->fd,
				       error == WOLFSSL_ERROR_WANT_READ ?
				       POLLIN : POLLOUT, deadline_ms)) {
			snprintf(detail, detail_len, "TLS: no answer in time");
			return STEK_EUNAVAILABLE;
		}
	}
	return 0;
}

/* The name goes with the hello, and into the check of the certificate. */
static int expect_name(WOLFSSL *ssl, const char *name)
{
	if (wolfSSL_check_domain_name(ssl, name) != WOLFSSL_SUCCESS ||
	    wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, name,
			   (unsigned short)strlen(name)) != WOLFSSL_SUCCESS)
		return STEK_ENOMEM;
	return 0;
}

int stek__redis_tls_start(redisContext *conn, const struct stek_redis_tls *tls,
			  const char *host, int64_t deadline_ms, char *detail,
			  size_t detail_len)
{
	const char *name = tls->server_name[0] ? tls->server_name : host;
	struct tls *own = calloc(1, sizeof(*own));
	uint8_t ip[16];
	size_t ip_len = binary_address(name, ip);
	int err;

	if (!own)
		return STEK_ENOMEM;
	/* From here the connection owns it. */
	conn->privctx = own;
	conn->funcs = &funcs;
	err = context(&own->ctx, tls, detail, detail_len);
	if (err)
		return err == STEK_ENOMEM ? err : STEK_EREFUSED;
	own->ssl = wolfSSL_new(own->ctx);
	if (!own->ssl || wolfSSL_set_fd(own->ssl, conn->fd) != WOLFSSL_SUCCESS)
		return STEK_ENOMEM;
	wolfSSL_SetIOWriteFlags(own->ssl, MSG_NOSIGNAL);
	err = ip_len ? 0 : expect_name(own->ssl, name);
	if (!err)
		err = shake_hands(conn, own->ssl, deadline_ms, detail,
				  detail_len);
	if (err)
		return err;
	if (ip_len && !peer_has(own->ssl, ip, ip_len)) {
		snprintf(detail, detail_len, "TLS: the server's certificate is"
			 " not for %.60s", name);
		return STEK_EREFUSED;
	}
	return 0;
}
