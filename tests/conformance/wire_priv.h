/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by wire.c (what goes in) and seen.c (what comes out). */
#ifndef WIRE_PRIV_H
#define WIRE_PRIV_H

#include "wire.h"

/* The connection of these ports, made when there is none. */
struct conn *wire_conn(uint16_t sport, uint16_t dport);
struct conn *wire_conn_of(const struct packet_spec *p);
/* 0 over a packet whose checksum is right. */
uint16_t wire_checksum(const uint8_t *ip, uint8_t proto, const uint8_t *p, size_t n);
void wire_learn_cookie(const char *name, const uint8_t *b, uint8_t n);

#endif
