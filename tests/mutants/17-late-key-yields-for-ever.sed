# file: late.c
# A key that came late yields for as long as another may seal.
/^static void drop\(/,/^}/s/mono_ms < late->until_ms && key/mono_ms \&\& key/
