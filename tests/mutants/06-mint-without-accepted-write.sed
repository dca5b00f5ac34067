# file: publish.c
# A minted key is used whether or not a store took it.
/^int stek__merge_propose\(/,/^}/{
s/^\t\terr = write_all\((.*)$/\t\twritten = write_all(\1/
s/^\tint err;$/\tint err, written = 0;/
s/^\treturn err;$/\treturn err ? err : written;/
}
