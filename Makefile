# SPDX-License-Identifier: BSD-2-Clause
# `make help` lists the targets.

ARCH ?= $(shell uname -m)
PREFIX ?= /usr/local
HOST_ARCH := $(shell uname -m)

SUFFIX := $(if $(SAN),-san)$(if $(filter-out $(HOST_ARCH),$(ARCH)),-$(ARCH))
B := build$(SUFFIX)

CROSS := $(if $(filter-out $(HOST_ARCH),$(ARCH)),$(ARCH)-linux-gnu-)
CC := $(CROSS)gcc
AR := $(CROSS)ar
CLANG ?= clang
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
OPT := -O2 -g
SANFLAGS := $(if $(SAN),-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
CFLAGS += -std=gnu11 $(OPT) $(WARN) $(SANFLAGS) -MMD -MP -Ifirmware -I.
# Freestanding: only the compiler's own headers are visible.
FW_CFLAGS = -std=c11 $(OPT) $(WARN) $(SANFLAGS) -MMD -MP -Ifirmware -ffreestanding \
	-nostdinc -isystem $(shell $(CC) -print-file-name=include)

FW_SRC := $(wildcard firmware/core/*.c firmware/tcp/*.c firmware/wire/*.c firmware/lib/*.c)
SIM_SRC := $(wildcard firmware/port/sim/*.c)
TOEFW_SRC := $(wildcard firmware/port/linux/*.c)
LIBTOE_SRC := $(wildcard manager/*.c)
TOED_SRC := $(wildcard userspace/toed/*.c)
TOECTL_SRC := $(wildcard userspace/toectl/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
SIMTEST_SRC := $(wildcard tests/sim/sim_*.c)

obj = $(patsubst %.c,$(B)/%.o,$(1))

.DEFAULT_GOAL := all
.PHONY: all
all: bpf firmware manager userspace

.PHONY: bpf firmware manager userspace
bpf: $(B)/toe_xdp.bpf.o
firmware: $(B)/libtoefw.a $(if $(CROSS),,$(B)/toe-fw)
manager: $(B)/libtoe.so $(B)/libtoe.a
userspace: $(B)/toed $(B)/toectl

# BPF
$(B)/toe_xdp.bpf.o: bpf/toe_xdp.bpf.c $(wildcard bpf/*.h firmware/abi/* firmware/lib/*.h)
	@mkdir -p $(@D)
	$(CLANG) -O2 -g -target bpf -ffreestanding -Wall -Werror -Ifirmware \
		-idirafter /usr/include/$(HOST_ARCH)-linux-gnu -c $< -o $@

# Firmware: core and TCP, freestanding
$(call obj,$(FW_SRC)): $(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(FW_CFLAGS) -c $< -o $@

$(B)/libtoefw.a: $(call obj,$(FW_SRC))
	rm -f $@; $(AR) rcs $@ $^

# Everything hosted
$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(EXTRA_CFLAGS) -c $< -o $@

$(call obj,$(LIBTOE_SRC)): EXTRA_CFLAGS = -fPIC -fvisibility=hidden
$(call obj,$(SIM_SRC) $(SIMTEST_SRC)): EXTRA_CFLAGS = -Ifirmware/port/sim

$(B)/toe-fw: $(call obj,$(TOEFW_SRC)) $(B)/libtoefw.a
	$(CC) $(SANFLAGS) -o $@ $^ -lbpf -lpthread

$(B)/toed: $(call obj,$(TOED_SRC)) $(B)/libtoefw.a
	$(CC) $(SANFLAGS) -o $@ $^ -lxdp -lbpf -lmnl -ljansson

$(B)/toectl: $(call obj,$(TOECTL_SRC)) $(B)/libtoefw.a
	$(CC) $(SANFLAGS) -o $@ $^ -lbpf -ljansson

$(B)/libtoe.a: $(call obj,$(LIBTOE_SRC))
	rm -f $@; $(AR) rcs $@ $^

$(B)/libtoe.so: $(call obj,$(LIBTOE_SRC)) manager/libtoe.map
	$(CC) $(SANFLAGS) -shared -Wl,-soname,libtoe.so.1 -Wl,--version-script=manager/libtoe.map -o $@ \
		$(call obj,$(LIBTOE_SRC)) -lpthread

# Unit tests: one program per source
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(UNIT_SRC))
$(B)/tests/unit/test_%: $(B)/tests/unit/test_%.o $(call obj,$(SIM_SRC)) $(B)/libtoefw.a $(B)/libtoe.a
	$(CC) $(SANFLAGS) -o $@ $^ $(B)/libtoefw.a -lcunit -lpthread

-include $(shell find $(B) -name '*.d' 2>/dev/null)
