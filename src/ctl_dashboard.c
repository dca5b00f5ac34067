/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stekctl dashboard: a port of 127.0.0.1 that passes the requests of one
 * browser on to stekd, with the rights that this user has there. Runs until its
 * session ends, or it is told to. Called by ctl_command.c; what is answered is
 * decided in dash_serve.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dash_serve.h"

#define CONNECTIONS_MAX 32
#define CONNECTION_MEMORY (32 * 1024)
#define DEADLINE_MS 10000

int64_t dash_now_ms(void)
{
	struct timespec now;

	/* A machine that slept was idle, too. */
	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A listening socket at 127.0.0.1, and its port. */
static int listen_at(unsigned *port, char *why, size_t why_len)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)*port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && bind(fd, (void *)&address, len) == 0 &&
	    listen(fd, CONNECTIONS_MAX) == 0 &&
	    getsockname(fd, (void *)&address, &len) == 0) {
		*port = ntohs(address.sin_port);
		return fd;
	}
	snprintf(why, why_len, "cannot listen on 127.0.0.1:%u: %s", *port,
		 strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int serve(struct dash *dash, char *why, size_t why_len)
{
	int fd = listen_at(&dash->port, why, why_len);

	if (fd < 0)
		return -1;
	dash->deadlines = deadlines_new(DEADLINE_MS);
	if (dash->deadlines != NULL)
		dash->daemon = MHD_start_daemon(
			MHD_USE_POLL_INTERNAL_THREAD |
				MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC,
			0, dash_on_accept, dash, dash_on_request, dash,
			MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd,
			MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
			MHD_OPTION_CONNECTION_MEMORY_LIMIT,
			(size_t)CONNECTION_MEMORY,
			MHD_OPTION_NOTIFY_CONNECTION, dash_on_connection, dash,
			MHD_OPTION_NOTIFY_COMPLETED, dash_on_completed, dash,
			MHD_OPTION_URI_LOG_CALLBACK, dash_on_uri, dash,
			MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (dash->daemon != NULL)
		return 0;
	snprintf(why, why_len, "cannot start the HTTP server: %s",
		 strerror(errno));
	close(fd);
	return -1;
}

/* All that a user needs to come in; the code only where one reads it. */
static void announce(const struct dash *dash, const struct dash_hand *hand,
		     const struct dash_options *options, FILE *out)
{
	if (options->json) {
		json_t *line = json_pack("{s:s, s:i, s:s}", "file", hand->file,
					 "port", (int)dash->port, "url",
					 dash->url);

		json_dumpf(line, out, JSON_COMPACT);
		json_decref(line);
		fputc('\n', out);
		fflush(out);
		return;
	}
	if (!options->no_open && dash_hand_open(hand))
		fprintf(out, "The dashboard opens in your browser. ");
	else
		fprintf(out, "Open %s in your browser. ", hand->file);
	fprintf(out, "It is at %s until Ctrl-C.\n", dash->url);
	if (isatty(fileno(out)))
		fprintf(out, "Or open %s yourself, and enter this, which "
			"is good for once, within 2 minutes:\n%s\n", dash->url,
			dash->once);
	fflush(out);
}

/* Until the session ends, or a signal comes. */
static enum dash_state wait_for_end(struct dash *dash, struct dash_hand *hand,
				    const sigset_t *signals)
{
	enum dash_state state;
	int64_t next, now;
	int signal;

	for (;;) {
		now = dash_now_ms();
		state = dash_session_state(dash->session, now, &next);
		if (state != DASH_WAITING) {
			dash_hand_remove(hand);
			explicit_bzero(dash->once, sizeof(dash->once));
		}
		if (state != DASH_WAITING && state != DASH_OPEN)
			return state;
		next = next > now ? next - now : 0;
		signal = sigtimedwait(signals, NULL, &(struct timespec){
			.tv_sec = next / 1000,
			.tv_nsec = next % 1000 * 1000000 });
		if (signal > 0 && signal != SIGUSR1)
			return state;
	}
}

static enum ctl_exit report(const struct dash *dash, enum dash_state state)
{
	dash_report(dash, stderr);
	switch (state) {
	case DASH_UNUSED:
		fputs("stekctl: ended: nobody opened the dashboard within 2 "
		      "minutes\n", stderr);
		return CTL_REFUSED;
	case DASH_TWICE:
		fputs("stekctl: ended: the one-time token came a second time. "
		      "If that was not you,\nsomebody has read it\n", stderr);
		return CTL_REFUSED;
	case DASH_IDLE:
		fputs("stekctl: ended: the dashboard was not used for 15 "
		      "minutes\n", stderr);
		return CTL_OK;
	default:
		return CTL_OK;
	}
}

/* A request that ended as late as now has told us, whom nothing waits for. */
static void forget_signal(void)
{
	const struct timespec at_once = { 0 };
	sigset_t signal;

	sigemptyset(&signal);
	sigaddset(&signal, SIGUSR1);
	(void)sigtimedwait(&signal, NULL, &at_once);
}

static void stop(struct dash *dash)
{
	atomic_store(&dash->stop, true);
	if (dash->daemon != NULL)
		MHD_stop_daemon(dash->daemon);
	forget_signal();
	deadlines_free(dash->deadlines);
	dash_session_free(dash->session);
	explicit_bzero(dash->once, sizeof(dash->once));
}

enum ctl_exit ctl_dashboard(const struct ctl_target *target,
			    const struct dash_options *options, FILE *out)
{
	struct dash dash = { .target = target, .port = options->port,
			     .waiter = pthread_self() };
	struct dash_hand hand = { .dir = "" };
	enum ctl_exit result;
	sigset_t signals, before;
	char why[512] = "";

	result = dash_page_there(&dash, why, sizeof(why));
	if (result != CTL_OK) {
		fprintf(stderr, "stekctl: %s\n", why);
		return result;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &signals, &before);
	dash.session = dash_session_new(dash.once, dash_now_ms());
	result = CTL_REFUSED;
	if (dash.session == NULL) {
		fputs("stekctl: no memory, or no random numbers\n", stderr);
	} else if (serve(&dash, why, sizeof(why)) != 0 ||
		   dash_hand_write(&hand, dash.once, dash.port, why,
				   sizeof(why)) != 0) {
		fprintf(stderr, "stekctl: %s\n", why);
	} else {
		snprintf(dash.url, sizeof(dash.url), "http://127.0.0.1:%u/",
			 dash.port);
		announce(&dash, &hand, options, out);
		result = report(&dash, wait_for_end(&dash, &hand, &signals));
	}
	dash_hand_remove(&hand);
	stop(&dash);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return result;
}
