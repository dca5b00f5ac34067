# file: member.c
# A heartbeat acknowledges what the store holds, not what the workers have.
s/^\tif \(offset_us > INT32_MAX\)/\tstruct stek_pulse heard;\n\n\tif (!sync->store->ops->pulse(sync->store, \&heard) \&\& heard.has_ring)\n\t\tbeat.version = heard.version;\n&/
