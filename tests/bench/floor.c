/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * floor.c - what the sockets of a TLS connection cost without TLS: one thread
 * accepts, reads and writes as many times and about as many bytes as a server of
 * TLS does, by epoll, while a child plays the client. Called by peers.sh.
 *
 *	floor full|resumed CONNECTIONS
 *
 * Prints the server's CPU time for each connection in microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char bytes[4096];

/* Lengths of a flight each way, then of the request and its answer. */
struct pattern {
	size_t hello, flight, request, answer;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Nothing is ever longer than one read. */
static void read_some(int fd)
{
	if (read(fd, bytes, sizeof(bytes)) <= 0)
		die("read");
}

static void write_all(int fd, size_t len)
{
	if (write(fd, bytes, len) != (ssize_t)len)
		die("write");
}

static void client(const struct sockaddr_in *at, const struct pattern *p,
		   int connections)
{
	for (int i = 0; i < connections; i++) {
		int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

		if (fd < 0 || connect(fd, (const void *)at, sizeof(*at)) != 0)
			die("connect");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		write_all(fd, p->hello);
		read_some(fd);
		write_all(fd, p->request);
		read_some(fd);
		while (read(fd, bytes, sizeof(bytes)) > 0)
			;
		close(fd);
	}
	exit(0);
}

static void wait_for(int epoll)
{
	struct epoll_event event;

	if (epoll_wait(epoll, &event, 1, -1) != 1)
		die("epoll_wait");
}

/* The awaited read, and the one that finds nothing more. */
static void take(int epoll, int fd)
{
	wait_for(epoll);
	read_some(fd);
	if (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		return;
}

static void serve(int listener, int epoll, const struct pattern *p)
{
	struct epoll_event event = {.events = EPOLLIN};
	int one = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		die("accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	take(epoll, fd);
	write_all(fd, p->flight);
	take(epoll, fd);
	write_all(fd, p->answer);
	shutdown(fd, SHUT_WR);
	wait_for(epoll);
	(void)!read(fd, bytes, sizeof(bytes));
	epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
	close(fd);
}

static double cpu_us(void)
{
	struct timespec at;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
	return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	static const struct pattern full = {350, 1100, 190, 700};
	static const struct pattern resumed = {550, 250, 190, 500};
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	const struct pattern *p;
	int listener, epoll, connections, status;
	double began;
	pid_t child;

	if (argc != 3 || (connections = atoi(argv[2])) < 1)
		return 2;
	p = strcmp(argv[1], "full") == 0 ? &full : &resumed;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (listener < 0 || epoll < 0 ||
	    bind(listener, (void *)&at, sizeof(at)) != 0 ||
	    listen(listener, 64) != 0 ||
	    getsockname(listener, (void *)&at, &len) != 0)
		die("listen");
	child = fork();
	if (child == 0)
		client(&at, p, connections);
	if (child < 0)
		die("fork");
	began = cpu_us();
	for (int i = 0; i < connections; i++)
		serve(listener, epoll, p);
	printf("%.3f\n", (cpu_us() - began) / connections);
	if (waitpid(child, &status, 0) != child || status != 0)
		return 1;
	return 0;
}
