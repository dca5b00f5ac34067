/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls_reason.c - what a wolfSSL error means: one row for each that a peer can
 * bring about. tls.c looks up the library's first failure here.
 */
#include "tls_reason.h"

#include <stddef.h>

#include "tls_hosts.h"

/*
 * The alerts of RFC 8446 s6 and RFC 5246 s7.2, by the names that the standard
 * and the library give them.
 */
static const struct tls_reason reasons[] = {
	{ VERSION_ERROR, FAIL_VERSION, wolfssl_alert_protocol_version },
	{ UNSUPPORTED_PROTO_VERSION, FAIL_VERSION,
	  wolfssl_alert_protocol_version },
	{ MATCH_SUITE_ERROR, FAIL_SUITE, handshake_failure },
	{ UNSUPPORTED_SUITE, FAIL_SUITE, handshake_failure },
	{ SUITES_ERROR, FAIL_SUITE, handshake_failure },
	{ ECC_CURVE_ERROR, FAIL_GROUP, handshake_failure },
	{ ECC_CURVETYPE_ERROR, FAIL_GROUP, handshake_failure },
	{ KEY_SHARE_ERROR, FAIL_GROUP, handshake_failure },
	/* The gate has seen to it that shares belong to offered groups. */
	{ BAD_KEY_SHARE_DATA, FAIL_GROUP, handshake_failure },
	{ NO_PEER_KEY, FAIL_GROUP, handshake_failure },
	{ EXT_MASTER_SECRET_NEEDED_E, FAIL_MASTER_SECRET, handshake_failure },
	{ UNKNOWN_ALPN_PROTOCOL_NAME_E, FAIL_ALPN, no_application_protocol },
	{ UNKNOWN_SNI_HOST_NAME_E, FAIL_UNKNOWN_HOST, unrecognized_name },
	/* Messages that do not decode, or say what they must not. */
	{ EXT_MISSING, FAIL_MALFORMED, missing_extension },
	{ UNSUPPORTED_EXTENSION, FAIL_MALFORMED, unsupported_extension },
	{ BUFFER_ERROR, FAIL_MALFORMED, decode_error },
	{ BUFFER_E, FAIL_MALFORMED, decode_error },
	{ INCOMPLETE_DATA, FAIL_MALFORMED, decode_error },
	{ MISSING_HANDSHAKE_DATA, FAIL_MALFORMED, decode_error },
	{ PARSE_ERROR, FAIL_MALFORMED, decode_error },
	{ LENGTH_ERROR, FAIL_MALFORMED, record_overflow },
	{ DECODE_E, FAIL_MALFORMED, decode_error },
	{ BAD_TICKET_MSG_SZ, FAIL_MALFORMED, decode_error },
	{ BAD_HELLO, FAIL_MALFORMED, decode_error },
	{ COMPRESSION_ERROR, FAIL_MALFORMED, illegal_parameter },
	{ INVALID_PARAMETER, FAIL_MALFORMED, illegal_parameter },
	{ DUPLICATE_TLS_EXT_E, FAIL_MALFORMED, illegal_parameter },
	{ EXT_NOT_ALLOWED, FAIL_MALFORMED, illegal_parameter },
	{ HRR_COOKIE_ERROR, FAIL_MALFORMED, illegal_parameter },
	{ PSK_KEY_ERROR, FAIL_MALFORMED, illegal_parameter },
	{ INVALID_CERT_CTX_E, FAIL_MALFORMED, illegal_parameter },
	{ ECC_PEERKEY_ERROR, FAIL_MALFORMED, illegal_parameter },
	{ ECC_OUT_OF_RANGE_E, FAIL_MALFORMED, illegal_parameter },
	{ ECC_SHARED_ERROR, FAIL_MALFORMED, illegal_parameter },
	{ IS_POINT_E, FAIL_MALFORMED, illegal_parameter },
	{ SECURE_RENEGOTIATION_E, FAIL_MALFORMED, handshake_failure },
	{ HANDSHAKE_SIZE_ERROR, FAIL_TOO_BIG, decode_error },
	/* In the wrong place. */
	{ OUT_OF_ORDER_E, FAIL_UNEXPECTED, unexpected_message },
	{ SANITY_MSG_E, FAIL_UNEXPECTED, unexpected_message },
	{ DUPLICATE_MSG_E, FAIL_UNEXPECTED, unexpected_message },
	{ SIDE_ERROR, FAIL_UNEXPECTED, unexpected_message },
	{ UNKNOWN_RECORD_TYPE, FAIL_UNEXPECTED, unexpected_message },
	{ UNKNOWN_HANDSHAKE_TYPE, FAIL_UNEXPECTED, unexpected_message },
	{ NO_CHANGE_CIPHER_E, FAIL_UNEXPECTED, unexpected_message },
	{ NO_PEER_VERIFY, FAIL_UNEXPECTED, unexpected_message },
	{ ALERT_COUNT_E, FAIL_UNEXPECTED, unexpected_message },
	/* What does not verify. */
	{ BAD_BINDER, FAIL_FINISHED, decrypt_error },
	{ VERIFY_FINISHED_ERROR, FAIL_FINISHED, decrypt_error },
	{ VERIFY_SIGN_ERROR, FAIL_SIGNATURE, decrypt_error },
	{ SIG_VERIFY_E, FAIL_SIGNATURE, decrypt_error },
	{ BAD_PADDING_E, FAIL_SIGNATURE, decrypt_error },
	{ RSA_PAD_E, FAIL_SIGNATURE, decrypt_error },
	{ VERIFY_MAC_ERROR, FAIL_RECORD, bad_record_mac },
	{ DECRYPT_ERROR, FAIL_RECORD, bad_record_mac },
	{ AES_GCM_AUTH_E, FAIL_RECORD, bad_record_mac },
	{ MAC_CMP_FAILED_E, FAIL_RECORD, bad_record_mac },
	/* Client certificates. RFC 5246 s7.4.6: 40 for none in TLS 1.2. */
	{ NO_PEER_CERT, FAIL_CERT_NONE, handshake_failure },
	{ ASN_AFTER_DATE_E, FAIL_CERT_EXPIRED, certificate_expired },
	{ ASN_BEFORE_DATE_E, FAIL_CERT_EARLY, certificate_expired },
	{ CRL_CERT_REVOKED, FAIL_CERT_REVOKED, certificate_revoked },
	{ OCSP_CERT_REVOKED, FAIL_CERT_REVOKED, certificate_revoked },
	{ ASN_NO_SIGNER_E, FAIL_CERT_UNKNOWN_CA, unknown_ca },
	{ ASN_SELF_SIGNED_E, FAIL_CERT_UNKNOWN_CA, unknown_ca },
	{ EXTKEYUSE_AUTH_E, FAIL_CERT_USAGE, unsupported_certificate },
	{ EXTKEYUSAGE_E, FAIL_CERT_USAGE, unsupported_certificate },
	{ KEYUSE_SIGNATURE_E, FAIL_CERT_USAGE, unsupported_certificate },
	{ KEYUSE_ENCIPHER_E, FAIL_CERT_USAGE, unsupported_certificate },
	{ KEYUSAGE_E, FAIL_CERT_USAGE, unsupported_certificate },
	{ MAX_CHAIN_ERROR, FAIL_CERT_CHAIN, unknown_ca },
	{ ASN_PATHLEN_SIZE_E, FAIL_CERT_CHAIN, unknown_ca },
	{ ASN_PATHLEN_INV_E, FAIL_CERT_CHAIN, unknown_ca },
	{ NOT_CA_ERROR, FAIL_CERT_CHAIN, unknown_ca },
	{ ASN_NAME_INVALID_E, FAIL_CERT_CHAIN, certificate_unknown },
	{ CRL_MISSING, FAIL_CERT_STATUS, certificate_unknown },
	{ CRL_CERT_DATE_ERR, FAIL_CERT_STATUS, certificate_unknown },
	{ ASN_CRL_NO_SIGNER_E, FAIL_CERT_STATUS, certificate_unknown },
	{ ASN_CRL_CONFIRM_E, FAIL_CERT_STATUS, certificate_unknown },
	{ UNSUPPORTED_CERTIFICATE, FAIL_CERT_BAD, unsupported_certificate },
	{ RSA_KEY_SIZE_E, FAIL_CERT_BAD, bad_certificate },
	{ ECC_KEY_SIZE_E, FAIL_CERT_BAD, bad_certificate },
	{ PEER_KEY_ERROR, FAIL_CERT_BAD, bad_certificate },
	{ VERIFY_CERT_ERROR, FAIL_CERT_BAD, bad_certificate },
	/* Ends without an alert of ours, and our own failures. */
	{ FATAL_ERROR, FAIL_ALERT, 0 },
	{ SOCKET_PEER_CLOSED_E, FAIL_CLOSED, 0 },
	{ ZERO_RETURN, FAIL_CLOSED, 0 },
	/* As wolfSSL_get_error() calls it. */
	{ WOLFSSL_ERROR_ZERO_RETURN, FAIL_CLOSED, 0 },
	{ MEMORY_E, FAIL_MEMORY, internal_error },
	{ MEMORY_ERROR, FAIL_MEMORY, internal_error },
};

/* The library's codes for what it finds wrong within a certificate. */
static bool is_of_asn(int error)
{
	return (error <= ASN_PARSE_E && error >= ASN_NO_PEM_HEADER) ||
		error == ASN_ECC_KEY_E || error == ASN_DEPTH_E ||
		error == ASN_LEN_E;
}

const struct tls_reason *tls_reason_find(int error)
{
	static const struct tls_reason other = {
		0, FAIL_OTHER, internal_error
	};
	static const struct tls_reason certificate = {
		0, FAIL_CERT_BAD, bad_certificate
	};
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].error == error)
			return &reasons[i];
	return is_of_asn(error) ? &certificate : &other;
}
