// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * visit_psk.c - what visit_psk.h declares, with wolfSSL as the client.
 */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tally.h"
#include "visit_count.h"
#include "visit_psk.h"

static int on_ticket(WOLFSSL *ssl, const unsigned char *ticket, int len,
		     void *user)
{
	(void)ssl;
	if (len < 16)
		tally_die("a ticket of %d bytes", len);
	visit_count_ticket(*(unsigned *)user, true, ticket);
	return 0;
}

/* To the server's close_notify. */
static void talk(unsigned node, WOLFSSL *ssl)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n"
		"Connection: close\r\n\r\n";
	int len = sizeof(request) - 1, n;
	char text[8192];

	if (wolfSSL_write(ssl, request, len) != len)
		tally_die("psk_ke: cannot ask");
	tally(node, (uint64_t)len, "stekd_received_bytes_total");
	while ((n = wolfSSL_read(ssl, text, sizeof(text))) > 0)
		tally(node, (uint64_t)n, "stekd_sent_bytes_total");
	if (wolfSSL_get_error(ssl, n) != WOLFSSL_ERROR_ZERO_RETURN)
		tally_die("psk_ke: no close_notify");
	tally_alert(node, "sent", 0);
}

static WOLFSSL_SESSION *shake(unsigned node, WOLFSSL_CTX *ctx,
			      const char *name, WOLFSSL_SESSION *session)
{
	WOLFSSL *ssl = wolfSSL_new(ctx);
	int fd = visit_dial(node);

	if (!ssl || wolfSSL_set_fd(ssl, fd) != WOLFSSL_SUCCESS ||
	    wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, name,
			   (unsigned short)strlen(name)) != WOLFSSL_SUCCESS ||
	    wolfSSL_set_SessionTicket_cb(ssl, on_ticket, &node) !=
	    WOLFSSL_SUCCESS)
		tally_die("psk_ke: no client");
	if (session && (wolfSSL_no_dhe_psk(ssl) != 0 ||
			wolfSSL_set_session(ssl, session) != WOLFSSL_SUCCESS))
		tally_die("psk_ke: the session cannot be offered");
	if (wolfSSL_connect(ssl) != WOLFSSL_SUCCESS)
		tally_die("psk_ke: no handshake, error %d",
			  wolfSSL_get_error(ssl, 0));
	if (wolfSSL_session_reused(ssl))
		tally_die("psk_ke resumed");
	visit_count_handshake(node, true, session ? "refused_psk_ke" :
			      "none_offered", 0);
	talk(node, ssl);
	session = wolfSSL_get1_session(ssl);
	wolfSSL_free(ssl);
	shutdown(fd, SHUT_WR);
	close(fd);
	return session;
}

void visit_psk_ke(unsigned node, unsigned other, const char *name,
		  const char *ca)
{
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
	WOLFSSL_SESSION *first, *second;

	if (!ctx || wolfSSL_CTX_load_verify_locations(ctx, ca, NULL) !=
	    WOLFSSL_SUCCESS)
		tally_die("psk_ke: no context");
	first = shake(node, ctx, name, NULL);
	if (!first)
		tally_die("psk_ke: no session");
	second = shake(other, ctx, name, first);
	wolfSSL_SESSION_free(first);
	wolfSSL_SESSION_free(second);
	wolfSSL_CTX_free(ctx);
}
