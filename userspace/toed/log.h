/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TOE_TOED_LOG_H
#define TOE_TOED_LOG_H

/* One line to stderr: "toed: ...". What went wrong, and where it helps, what to do about it. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
