/* A small server whose requests have one known cause of trouble, chosen by its first argument:
 *
 *   lock     a request takes a mutex; a thread "janitor" computes for 0.5 s with it, every 2 s
 *   child    a request runs a program and waits for it; every 12th runs a slow one
 *   fsync    a request writes 4 KiB to a log and syncs it
 *   cpu      a request computes for 30 ms
 *   memory   a request fills 24 MiB of new memory
 *   remote   a request asks the server at 10.99.0.2:9000
 *   flood    is no server: sends small packets to 10.99.0.1:9 for 2 s, as fast as it can
 *   hoard    is no server: fills MB of memory (its second argument) and uses it over and over for 4 s
 *   backend  is that server: every 12th answer takes 0.6 s longer
 *
 * Every request also computes for 3 ms. Connections: accept4, read, write, close, one at a time, in two threads.
 * cc -O1 -static -pthread -o service service.c */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *mode;
static pthread_mutex_t cache = PTHREAD_MUTEX_INITIALIZER;
static int listener, number;

static void compute(double ms) {
  struct timespec a, b;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
  do {
    for (volatile int i = 0; i < 2000; i++) {}
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
  } while ((b.tv_sec - a.tv_sec) * 1e3 + (b.tv_nsec - a.tv_nsec) / 1e6 < ms);
}
static void pause_ms(int ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&t, NULL);
}
static int ask(const char *address, int port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  char answer[64];
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  inet_pton(AF_INET, address, &to.sin_addr);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) { perror("connect"); close(fd); return -1; }
  write(fd, "query\n", 6);
  int got = recv(fd, answer, sizeof answer, 0);
  close(fd);
  return got;
}
static void run(const char *command) {
  pid_t child = fork();
  if (child == 0) { execl("/bin/sh", "sh", "-c", command, (char *)NULL); _exit(127); }
  waitpid(child, NULL, 0);
}
static void handle(int n) {
  compute(3);
  if (!strcmp(mode, "lock")) {
    pthread_mutex_lock(&cache); compute(1); pthread_mutex_unlock(&cache);
  } else if (!strcmp(mode, "child")) {
    run(n % 12 == 11 ? "/tmp/thumbnailer /tmp/blob" : "true");
  } else if (!strcmp(mode, "fsync")) {
    static char page[4096];
    int fd = open("/var/lib/orders.log", O_WRONLY | O_CREAT | O_APPEND, 0644);
    write(fd, page, sizeof page); fsync(fd); close(fd);
  } else if (!strcmp(mode, "cpu")) compute(30);
  else if (!strcmp(mode, "memory")) {
    size_t size = 24u << 20;
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < size; i += 4096) p[i] = 1;
    munmap(p, size);
  } else if (!strcmp(mode, "remote")) ask("10.99.0.2", 9000);
  else if (!strcmp(mode, "backend") && n % 12 == 11) pause_ms(600);
}
static void *worker(void *unused) {
  char request[256];
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) continue;
    if (recv(fd, request, sizeof request, 0) > 0) {
      handle(__sync_fetch_and_add(&number, 1));
      write(fd, "done\n", 5);
    }
    close(fd);
  }
  return unused;
}
static void *janitor(void *unused) {
  prctl(PR_SET_NAME, "janitor");
  for (;;) {
    pause_ms(2000);
    pthread_mutex_lock(&cache); compute(500); pthread_mutex_unlock(&cache);
  }
  return unused;
}
static void flood(void) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  inet_pton(AF_INET, "10.99.0.1", &to.sin_addr);
  for (time_t end = time(NULL) + 2; time(NULL) < end;)
    for (int i = 0; i < 100; i++) sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
}
static void hoard(size_t size) {
  char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  prctl(PR_SET_NAME, "hoarder");
  for (time_t end = 0; end == 0 || time(NULL) < end;) {
    for (size_t i = 0; i < size; i += 4096) p[i]++;
    if (end == 0) end = time(NULL) + 4;
  }
}
int main(int argc, char **argv) {
  mode = argc > 1 ? argv[1] : "";
  int on = 1, port = strcmp(mode, "backend") ? 8000 : 9000;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = INADDR_ANY};
  pthread_t thread;
  if (!strcmp(mode, "flood")) { flood(); return 0; }
  if (!strcmp(mode, "hoard")) { hoard((size_t)atol(argv[2]) << 20); return 0; }
  if (argc > 2) { /* client: COUNT requests, MS apart */
    for (int i = 0, n = atoi(argv[2]); i < n; i++) { ask("127.0.0.1", 8000); pause_ms(atoi(argv[3])); }
    return 0;
  }
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 64) < 0) { perror("listen"); return 1; }
  if (!strcmp(mode, "lock")) pthread_create(&thread, NULL, janitor, NULL);
  pthread_create(&thread, NULL, worker, NULL);
  worker(NULL);
}
