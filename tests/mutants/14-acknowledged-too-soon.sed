# file: member.c
# A heartbeat acknowledges what the store holds, not what the workers have.
/^static int seal_beat\(/,/^}/s/^\tif \(sync->on_beat\)/\tstruct stek_pulse heard;\n\n\tif (!sync->store->ops->pulse(sync->store, \&heard) \&\& heard.has_ring)\n\t\tbeat.version = heard.version;\n&/
