/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A private place for the BPF tests: network and mount namespaces of their own, which end with
 * the process and take devices and pins along.
 */
#ifndef TOE_TESTS_BPF_ENV_H
#define TOE_TESTS_BPF_ENV_H

/*
 * Enter the namespaces; bpffs is not mounted there. Ends the program with one line when that is
 * not allowed.
 */
void env_enter(const char *suite);

/* The object file: $TOE_BPF_OBJ, or the one in the build directory that this program lies in. */
const char *env_object(void);

/* Run a shell command, quietly; 0 if it succeeded. */
__attribute__((format(printf, 1, 2))) int env_sh(const char *fmt, ...);

/* An AF_XDP socket that is bound to nothing: good enough to stand in toe_xsks. */
int env_xsk(void);

#endif
