# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # lib.sh sets $work, they $host
#
# The client certificates of node_1_alerts.sh and measure_3_causes.sh: a good one,
# and one for each way in which a certificate can be refused; and their nodes.

# ca NAME: a CA in $work/NAME, which can date its certificates and revoke them.
ca()
{
	make_ca "$1"
	mkdir "$work/$1.d"
	: >"$work/$1.d/index"
	echo 1000 >"$work/$1.d/serial"
	echo 1000 >"$work/$1.d/crlnumber"
	cat >"$work/$1.cnf" <<-EOT
	[ca]
	default_ca = this
	[this]
	database = $work/$1.d/index
	serial = $work/$1.d/serial
	crlnumber = $work/$1.d/crlnumber
	new_certs_dir = $work/$1.d
	certificate = $work/$1.pem
	private_key = $work/$1.key
	default_md = sha256
	default_days = 30
	default_crl_days = 30
	unique_subject = no
	policy = any
	[any]
	commonName = supplied
	EOT
}

of_ca() { local name=$1; shift; openssl ca -batch -config "$work/$name.cnf" "$@"; }

# client_pair CA NAME USAGE [openssl ca's options]: $work/NAME.pem and NAME.key.
client_pair()
{
	local ca=$1 name=$2 usage=$3

	shift 3
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$work/$name.key" -out "$work/$name.csr" \
		-subj "/CN=$name" 2>>"$work/log/openssl"
	printf 'basicConstraints=%s\n%s\n' "${constraints:-CA:false}" \
		"${usage:+extendedKeyUsage=$usage}" >"$work/$name.ext"
	of_ca "$ca" -in "$work/$name.csr" -out "$work/$name.pem" -notext \
		-extfile "$work/$name.ext" "$@" 2>>"$work/log/openssl"
}

make_clients()
{
	ca clients
	ca strangers
	client_pair clients good clientAuth
	client_pair clients revoked clientAuth
	client_pair clients expired clientAuth \
		-startdate 20200101000000Z -enddate 20200201000000Z
	client_pair clients early clientAuth \
		-startdate 21000101000000Z -enddate 21000201000000Z
	client_pair clients usage serverAuth
	client_pair strangers stranger clientAuth
	client_pair clients denied clientAuth
	openssl x509 -in "$work/denied.pem" -noout -fingerprint -sha256 |
		sed 's/.*=//' >"$work/denied"
	of_ca clients -revoke "$work/revoked.pem" 2>>"$work/log/openssl"
	# The signature of a certificate ends it: another last byte.
	openssl x509 -in "$work/good.pem" -outform DER -out "$work/forged.der"
	forge "$work/forged.der"
	openssl x509 -inform DER -in "$work/forged.der" -out "$work/forged.pem"
	cp "$work/good.key" "$work/forged.key"
	# Two intermediate CAs where the host allows one.
	constraints=CA:true client_pair clients first ''
	chained_ca first
	constraints=CA:true client_pair first second ''
	chained_ca second
	client_pair second chain clientAuth
	cat "$work/second.pem" "$work/first.pem" >>"$work/chain.pem"
	of_ca clients -gencrl -out "$work/clients.crl" 2>>"$work/log/openssl"
	# A CA in the bundle that has issued no list.
	ca unlisted
	client_pair unlisted unlisted-client clientAuth
	cat "$work/clients.pem" "$work/unlisted.pem" >"$work/bundle.pem"
}

# The files of a CA whose certificate and key are there already.
chained_ca()
{
	cp "$work/$1.pem" "$work/$1.kept"
	cp "$work/$1.key" "$work/$1.kept-key"
	ca "$1"
	mv "$work/$1.kept" "$work/$1.pem"
	mv "$work/$1.kept-key" "$work/$1.key"
}

forge()
{
	local size byte

	size=$(stat -c %s "$1")
	byte=$(tail -c 1 "$1" | od -An -tu1)
	printf '%b' "\\x$(printf %02x $((byte ^ 1)))" |
		dd of="$1" bs=1 seek=$((size - 1)) conv=notrunc status=none
}

# alert_node N VERSIONS [MS]: hosts that ask for no certificate, demand one, and
# allow one. A handshake may take MS, or ten seconds as usual: where a time-out is
# not what is looked for, a slow machine must not make one.
alert_node()
{
	write_config "$1"
	sed -i '/^hosts:/,/^admin:/{/^admin:/!d}' "$work/node-$1.yaml"
	cat >>"$work/node-$1.yaml" <<-EOT
	tls: { versions: [$2] }
	limits: { handshake_timeout_ms: ${3:-10000} }
	client_deny: $work/denied
	hosts:
	  - names: [$host]
	    certificate: $work/$host.pem
	    key: $work/$host.key
	    alpn: [http/1.1]
	    backend: builtin
	  - names: [mtls.example.test]
	    certificate: $work/$host.pem
	    key: $work/$host.key
	    backend: builtin
	    client_auth: required
	    client_ca: $work/bundle.pem
	    client_crl: $work/clients.crl
	  - names: [chain.example.test]
	    certificate: $work/$host.pem
	    key: $work/$host.key
	    backend: builtin
	    client_auth: optional
	    client_ca: $work/clients.pem
	    client_depth: 1
	EOT
	sed -i 's/workers: 2/workers: 1/' "$work/node-$1.yaml"
	start_node "$1"
}
