/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parser's two halves share: the place in the text. */
#ifndef PARSE_H
#define PARSE_H

#include <stddef.h>

#include "script.h"

/* Blanks and comments before a token are skipped. A mismatch ends the program with a message. */
const char *parse_rest(void);
void parse_skip(size_t n);
bool parse_is(const char *token);
bool parse_accept(const char *token);
void parse_expect(const char *token);
char *parse_word(void);
bool parse_is_number(void);
int64_t parse_number(void);
int parse_line(void);
void parse_error(const char *what) __attribute__((noreturn));

/* From the direction on. */
void parse_packet(struct packet_spec *p, bool v6);

#endif
