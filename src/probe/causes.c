/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The texts of all causes that explain.c may name, in one table: what it is, and
 * what to check. The names are part of the JSON and of stekprobe.1.
 */
#include <string.h>

#include "causes.h"

static const struct cause causes[] = {
	{"dns", "the host name has no address",
	 {"the spelling of the name", "getent ahosts NAME"}},
	{"connect_refused", "nobody listens on that port",
	 {"is the server running (ss -tln there)", "the port number",
	  "a firewall that answers with a reset"}},
	{"unreachable", "there is no way to that network or host",
	 {"the address", "routes (ip route get ADDRESS)"}},
	{"filtered", "the TCP connection was never answered",
	 {"a firewall that drops packets", "is the host up"}},
	{"plain_http", "the server speaks HTTP without TLS on this port",
	 {"the port: TLS is on another, often 443",
	  "a load balancer that has ended TLS before it"}},
	{"starttls", "the server greets in a protocol that begins without TLS",
	 {"the port of that protocol that begins with TLS (465, 993, 995, 636)",
	  "STARTTLS is not what this command does: openssl s_client -starttls"}},
	{"not_tls", "the server answers in another protocol than TLS",
	 {"the port", "what listens there"}},
	{"no_answer", "the server took the connection and says nothing",
	 {"is it a TLS port at all", "does the server hang or is it overloaded",
	  "does it wait for a PROXY header (--send-proxy)"}},
	{"silent_close", "the connection was ended at the first message, unsaid "
	 "why",
	 {"is it a TLS port at all", "an allow list or a limit of connections",
	  "a PROXY header expected, or not expected (--send-proxy)"}},
	{"proxy_header", "the PROXY header was missing, or not expected",
	 {"--send-proxy here", "the listener's PROXY setting there"}},
	{"version", "client and server share no version of TLS",
	 {"--tls here", "the server's versions (stekd: tls.versions)"}},
	{"suite", "client and server share no cipher suite",
	 {"--suites here", "the server's suites",
	  "does the server have a certificate for them (ECDSA, RSA)"}},
	{"group", "client and server share no group for the key exchange",
	 {"--groups here", "the server's groups"}},
	{"signature_scheme", "the server's key cannot sign in a way that the "
	 "client takes",
	 {"--schemes here", "the kind of the server's certificate"}},
	{"legacy", "the server does only what is too weak for this client",
	 {"its versions, suites, key size and signature hash"}},
	{"unknown_host", "the server has no host of that name",
	 {"the server name that was sent (--sni)",
	  "the server's names (stekd: hosts)"}},
	{"alpn", "client and server share no application protocol",
	 {"--alpn here", "the host's protocols there"}},
	{"fallback", "the client says that it fell back, and the server could do "
	 "better",
	 {"why the first attempt failed", "a middlebox that breaks newer "
	  "versions"}},
	{"no_certificate", "the server demands a client certificate",
	 {"--cert and --key here", "is this the host that should demand one"}},
	{"certificate_expired", "the client certificate has expired",
	 {"its end (openssl x509 -enddate)", "both clocks"}},
	{"certificate_not_yet_valid", "the client certificate is not valid yet",
	 {"its begin (openssl x509 -startdate)", "both clocks"}},
	{"server_clock", "the client certificate is valid by this clock, and not "
	 "by the server's",
	 {"the server's clock", "the clock here",
	  "are the certificates of its chain valid, too"}},
	{"certificate_revoked", "the client certificate is revoked or denied",
	 {"the CA's revocation list", "the server's deny list"}},
	{"unknown_ca", "the server does not trust the CA of the client "
	 "certificate",
	 {"the server's CA file (stekd: client_ca)",
	  "are all intermediate certificates in --cert"}},
	{"certificate_usage", "the client certificate is not meant for clients",
	 {"extendedKeyUsage must have clientAuth"}},
	{"bad_certificate", "the client certificate does not verify: wrong "
	 "signature or form",
	 {"openssl verify -CAfile CA CERT", "was it damaged in copying",
	  "a CA of the same name with another key"}},
	{"certificate_chain", "the chain of the client certificate is too long",
	 {"the server's limit (stekd: client_depth)",
	  "pathlen of the CA certificates"}},
	{"certificate_status", "the server could not find out whether the client "
	 "certificate is revoked",
	 {"a current revocation list of each CA (stekd: client_crl)",
	  "when the list ends"}},
	{"server_certificate_expired", "the server's certificate has expired",
	 {"renew it", "was the server reloaded after it was renewed"}},
	{"server_certificate_not_yet_valid", "the server's certificate is not "
	 "valid yet",
	 {"the clock of the CA that made it"}},
	{"own_clock", "the clock here is wrong",
	 {"date -u", "is time synchronised (timedatectl)"}},
	{"server_name", "the server's certificate is for another name",
	 {"the name in --sni or in the address",
	  "the subjectAltName of the certificate",
	  "does the server choose by server name"}},
	{"untrusted_server", "the server's certificate does not lead to a CA of "
	 "--ca",
	 {"--ca here", "does the server send its intermediate certificates",
	  "a middlebox with a certificate of its own"}},
	{"weak_server", "the client will not go so low as the server asks",
	 {"the server's key size, groups and hashes"}},
	{"bad_binder", "the server opened the ticket and its secret is not ours",
	 {"servers that share a ticket key and not its meaning",
	  "a middlebox that changes the ClientHello"}},
	{"middlebox_altered", "what one side sent is not what the other got",
	 {"a middlebox in between: try without it, or from the server's host",
	  "compare both ends: tcpdump, and --keylog",
	  "else an error of one of the TLS libraries"}},
	{"middlebox_cut", "somebody ended the handshake midway, unsaid why",
	 {"a middlebox in between that does not like what it sees",
	  "the server's log: it may have died, or a limit was reached",
	  "the server's time-out for handshakes"}},
	{"middlebox_lost", "one side waited in vain for the other's next message",
	 {"a middlebox in between that holds messages back",
	  "large packets that get lost (MTU)", "the server's time-out"}},
	{"server_fault", "the server had a failure of its own",
	 {"the server's log"}},
	{"access_denied", "the server knows the client and denies access",
	 {"the server's rules"}},
	{"broken_here", "memory or descriptors are short here, or the file cannot "
	 "be used",
	 {"ulimit -n"}},
	{"alert", "the server refuses; the alert's name is all it says",
	 {"the server's log"}},
};

const struct cause *cause_of(const char *name)
{
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		if (strcmp(causes[i].name, name) == 0)
			return &causes[i];
	}
	return NULL;
}
