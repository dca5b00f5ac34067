# file: farm.c
# Keys are activated by the machine's own clock.
/^int64_t stek_farm_now_ms\(/,/^}/{
s/wall_ms\(farm->io\.user\) \+/wall_ms(farm->io.user);/
/^\t +atomic_load_explicit\(/d
}
