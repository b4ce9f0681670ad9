/* What a sandbox may refuse, between the extension and the C library (LD_PRELOAD).
 *
 * A name that begins with "silent" is never answered. With SHIM_DIRECTORY set, pthread_create fails as long
 * as a file `threads` is in that directory, socket and accept4 as long as `descriptors` is. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int refused(const char *what)
{
    char path[4096];
    const char *directory = getenv("SHIM_DIRECTORY");
    if (!directory)
        return 0;
    snprintf(path, sizeof path, "%s/%s", directory, what);
    return access(path, F_OK) == 0;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    if (node && strncmp(node, "silent", 6) == 0)
        for (;;)
            pause();
    return real(node, service, hints, result);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = dlsym(RTLD_NEXT, "pthread_create");
    return refused("threads") ? EAGAIN : real(thread, attributes, start, argument);
}

int socket(int domain, int type, int protocol)
{
    int (*real)(int, int, int) = dlsym(RTLD_NEXT, "socket");
    if (refused("descriptors")) {
        errno = EMFILE;
        return -1;
    }
    return real(domain, type, protocol);
}

int accept4(int listener, struct sockaddr *address, socklen_t *length, int flags)
{
    int (*real)(int, struct sockaddr *, socklen_t *, int) = dlsym(RTLD_NEXT, "accept4");
    if (refused("descriptors")) {
        errno = EMFILE;
        return -1;
    }
    return real(listener, address, length, flags);
}
