# file: link.c
# What the store holds is known by its epoch alone.
/^bool stek__link_in_sync\(/,/^}/s/stek_version_equal\(&link->held, &ours->version\)/(link->held.epoch == ours->version.epoch)/
