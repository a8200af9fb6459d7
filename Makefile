# SPDX-License-Identifier: BSD-2-Clause
# `make help` lists the targets.

ARCH ?= $(shell uname -m)
PREFIX ?= /usr/local
HOST_ARCH := $(shell uname -m)

# V=1 shows the commands.
Q := $(if $(V),,@)

SUFFIX := $(if $(SAN),-san)$(if $(filter-out $(HOST_ARCH),$(ARCH)),-$(ARCH))
B := build$(SUFFIX)

CROSS := $(if $(filter-out $(HOST_ARCH),$(ARCH)),$(ARCH)-linux-gnu-)
CC := $(CROSS)gcc
AR := $(CROSS)ar
CLANG ?= clang
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
OPT := -O2 -g
COMMA := ,
SANFLAGS := $(if $(SAN),-fsanitize=address$(COMMA)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
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
BPFTEST_SRC := $(wildcard tests/bpf/test_*.c)
SIMTEST_SRC := $(wildcard tests/sim/sim_*.c)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
# Programs that are built once for each socket API.
API_SRC := $(wildcard userspace/bench/*.c tests/apps/*.c)

obj = $(patsubst %.c,$(B)/%.o,$(1))
# A program of its own: every source of a folder but main.c, for tests.
no_main = $(filter-out %/main.o,$(call obj,$(1)))

.DEFAULT_GOAL := all

# Say what is missing before the compiler does; once it was all there, do not look again.
ifeq ($(filter help clean deps test test-interop demo bench bench-goodput,$(MAKECMDGOALS))$(wildcard $(B)/.deps),)
ifneq ($(shell tests/harness/deps.sh --check && mkdir -p $(B) && touch $(B)/.deps && echo ok),ok)
$(error nothing built)
endif
endif

.PHONY: help
help:
	@echo 'make                         build everything into build/'
	@echo 'make demo                    install packages, build, NGINX on Linux TCP and on the TOE, one table (root)'
	@echo 'make test                    install packages, build, run every test (root)'
	@echo 'make test-unit|-bpf|-sim|-conformance|-fuzz|-e2e  parts of it; make check: format, lint, freestanding check'
	@echo 'make test-interop            every combination of Linux TCP settings, family, MTU, congestion control (root, long)'
	@echo 'make snapshot                write tests/sim/goodput.snapshot anew: what test-sim compares goodput with'
	@echo 'make bench                   kernel TCP and TOE alternately, table and build/bench.json (root)'
	@echo 'make bench-goodput           TOE and Linux over loss, delay, reordering: build/goodput.json; fairness (root, hours;'
	@echo '                             GOODPUT="--quick", "--harm 1 --cc reno", "--fairness": userspace/bench/goodput.py --help)'
	@echo 'make fuzz                    parsers, TCP and command ring under libFuzzer, FUZZ_SECONDS=60 each'
	@echo 'make fuzz-corpus             what that found is added to tests/fuzz/corpus, which test-fuzz replays'
	@echo 'make firmware ARCH=aarch64   cross-build the firmware, run its tests under qemu-user'
	@echo 'make SAN=1 [target]          with AddressSanitizer and UBSan, into build-san/'
	@echo 'make install DESTDIR= PREFIX=/usr/local'
	@echo 'make deps                    install the Debian packages that are missing (root)'
	@echo 'make clean; V=1 shows the commands'

.PHONY: all
all: bpf firmware manager userspace

.PHONY: bpf firmware manager userspace
bpf: $(B)/toe_xdp.bpf.o
firmware: $(B)/libtoefw.a $(if $(CROSS),cross-test,$(B)/toe-fw)
manager: $(B)/libtoe.so $(B)/libtoe.so.1 $(B)/libtoe.a
userspace: $(B)/toed $(B)/toectl

.PHONY: root
root:
	@[ "$$(id -u)" = 0 ] || { echo 'this needs root (network namespaces, XDP): run it as root;' \
		'make, make test-unit, make test-sim and make check do not' >&2; exit 1; }

.PHONY: deps
deps:
	@tests/harness/deps.sh

# BPF
$(B)/toe_xdp.bpf.o: $(wildcard bpf/*.c bpf/*.h firmware/abi/* firmware/lib/*.h)
	@mkdir -p $(@D)
	@printf '  CC  %s\n' $@
	$(Q)$(CLANG) -O2 -g -target bpf -ffreestanding -Wall -Werror -Ifirmware \
		-idirafter /usr/include/$(HOST_ARCH)-linux-gnu -c bpf/toe_xdp.bpf.c -o $@

# Firmware: core and TCP, freestanding
$(call obj,$(FW_SRC)): $(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@printf '  CC  %s\n' $@
	$(Q)$(CC) $(FW_CFLAGS) -c $< -o $@

$(B)/libtoefw.a: $(call obj,$(FW_SRC))
	@printf '  AR  %s\n' $@
	$(Q)rm -f $@; $(AR) rcs $@ $^

# Everything hosted
$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@printf '  CC  %s\n' $@
	$(Q)$(CC) $(CFLAGS) $(EXTRA_CFLAGS) -c $< -o $@

# With -fexceptions cleaning up after a cancelled thread costs a wait nothing; without, a setjmp.
$(call obj,$(LIBTOE_SRC)): EXTRA_CFLAGS = -fPIC -fvisibility=hidden -fexceptions
# AddressSanitizer takes what was poisoned of the frames in which a thread was cancelled for being in use.
$(call obj,manager/wait.c): EXTRA_CFLAGS += $(if $(SAN),--param asan-stack=0)
$(call obj,$(SIM_SRC) $(SIMTEST_SRC)): EXTRA_CFLAGS = -Ifirmware/port/sim
$(call obj,$(UNIT_SRC)): EXTRA_CFLAGS = -Ifirmware/port/sim $(if $(CROSS),-Itests/harness/cross)

$(B)/toe-fw: $(call obj,$(TOEFW_SRC)) $(B)/libtoefw.a
	@printf '  LD  %s\n' $@
	$(Q)$(CC) $(SANFLAGS) -o $@ $^ -lbpf -lpthread

$(B)/toed: $(call obj,$(TOED_SRC)) $(B)/libtoefw.a
	@printf '  LD  %s\n' $@
	$(Q)$(CC) $(SANFLAGS) -o $@ $^ -lxdp -lbpf -lmnl -ljansson

$(B)/toectl: $(call obj,$(TOECTL_SRC)) $(B)/libtoefw.a
	@printf '  LD  %s\n' $@
	$(Q)$(CC) $(SANFLAGS) -o $@ $^ -lbpf -ljansson

$(B)/libtoe.a: $(call obj,$(LIBTOE_SRC))
	@printf '  AR  %s\n' $@
	$(Q)rm -f $@; $(AR) rcs $@ $^

$(B)/libtoe.so: $(call obj,$(LIBTOE_SRC)) manager/libtoe.map
	@printf '  LD  %s\n' $@
	$(Q)$(CC) $(SANFLAGS) -shared -Wl,-soname,libtoe.so.1 -Wl,--version-script=manager/libtoe.map -o $@ \
		$(call obj,$(LIBTOE_SRC)) -lpthread

$(B)/libtoe.so.1: $(B)/libtoe.so
	ln -sf libtoe.so $@

# Programs on either API: foo_linux uses the kernel's sockets, foo_toe the TOE's, from the same source.
.PHONY: apps
apps: $(B)/tests/harness/forwarder $(B)/tests/harness/layout $(patsubst %.c,$(B)/%_linux,$(API_SRC)) $(patsubst %.c,$(B)/%_toe,$(API_SRC))
$(B)/%_linux: %.c
	@mkdir -p $(@D)
	@printf '  CC  %s\n' $@
	$(Q)$(CC) $(CFLAGS) -Imanager -MF $@.d -o $@ $< -lpthread
$(B)/%_toe: %.c $(B)/libtoe.a
	@mkdir -p $(@D)
	@printf '  CC  %s\n' $@
	$(Q)$(CC) $(CFLAGS) -Imanager -DUSE_TOE -MF $@.d -o $@ $< $(B)/libtoe.a -lpthread

$(B)/tests/harness/%: $(B)/tests/harness/%.o
	@printf '  LD  %s\n' $@
	$(Q)$(CC) $(SANFLAGS) -o $@ $<

.PHONY: nginx
nginx: $(B)/libtoe.a
	@userspace/nginx/build.sh $(B)/nginx $(B)/libtoe.a

# What tests take from programs: all but main.c
$(B)/toed.a: $(call no_main,$(TOED_SRC))
$(B)/toe-fw.a: $(call no_main,$(TOEFW_SRC))
$(B)/toectl.a: $(call no_main,$(TOECTL_SRC))
$(B)/sim.a: $(call obj,$(SIM_SRC))
$(B)/unit.a: $(call obj,$(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c)))
$(B)/bpftest.a: $(call obj,$(filter-out $(BPFTEST_SRC),$(wildcard tests/bpf/*.c)))
$(B)/simtest.a: $(call obj,$(filter-out $(SIMTEST_SRC),$(wildcard tests/sim/*.c)))
$(B)/%.a:
	@mkdir -p $(@D)
	@printf '  AR  %s\n' $@
	$(Q)rm -f $@; $(AR) rcs $@ $^

# Unit tests: one program per source
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(UNIT_SRC))
UNIT_LIB := $(addprefix $(B)/,unit.a sim.a libtoefw.a $(if $(CROSS),,libtoe.a toed.a toe-fw.a toectl.a))
$(B)/tests/unit/test_%: $(B)/tests/unit/test_%.o $(UNIT_LIB)
	@printf '  LD  %s\n' $@
	$(Q)$(CC) $(SANFLAGS) -o $@ $< -Wl,--start-group $(UNIT_LIB) -Wl,--end-group -Wl,--as-needed -lm -lpthread \
		$(if $(CROSS),,-lcunit -lxdp -lbpf -lmnl -ljansson)

# Simulator: whole engines in one process
SIM_BIN := $(patsubst %.c,$(B)/%,$(SIMTEST_SRC))
$(B)/tests/sim/sim_%: $(B)/tests/sim/sim_%.o $(B)/simtest.a $(B)/sim.a $(B)/libtoefw.a
	@printf '  LD  %s\n' $@
	$(Q)$(CC) $(SANFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lm -lpthread

# BPF tests: against the object, through toed's loader
BPFTEST_BIN := $(patsubst %.c,$(B)/%,$(BPFTEST_SRC))
$(B)/tests/bpf/test_%: $(B)/tests/bpf/test_%.o $(B)/bpftest.a $(B)/toed.a $(B)/libtoefw.a | $(B)/toe_xdp.bpf.o
	@printf '  LD  %s\n' $@
	$(Q)$(CC) $(SANFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lcunit -lxdp -lbpf -lmnl -ljansson

# Conformance: libtoe and an engine in one process, driven by timed scripts
CONF_SRC := $(wildcard tests/conformance/*.c)
CONF_WRAP := $(addprefix -Wl$(COMMA)--wrap=,clock_gettime epoll_pwait2 epoll_wait sched_yield usleep sched_getcpu recvmsg)
$(call obj,$(CONF_SRC)): EXTRA_CFLAGS = -Ifirmware/port/sim -fPIC
# A shared object that lets packetdrill drive the same: everything in it position-independent
PIC_OBJ := $(patsubst %.c,$(B)/pic/%.o,$(FW_SRC) $(SIM_SRC)) $(call obj,$(LIBTOE_SRC) \
	$(addprefix tests/conformance/,stack.c wrap.c admission.c calls.c offload.c packetdrill.c))
$(B)/pic/%.o: %.c Makefile
	@mkdir -p $(@D)
	@printf '  CC  %s\n' $@
	$(Q)$(CC) $(CFLAGS) -fPIC -c $< -o $@
$(B)/packetdrill_toe.so: $(PIC_OBJ)
	@printf '  LD  %s\n' $@
	$(Q)$(CC) -shared $(CONF_WRAP) -o $@ $^ -lpthread

CONF_OBJ := $(call obj,$(filter-out tests/conformance/packetdrill.c,$(CONF_SRC)))
CONF_BIN := $(B)/tests/conformance/conformance
$(CONF_BIN): $(CONF_OBJ) $(B)/sim.a $(B)/libtoefw.a $(B)/libtoe.a
	@printf '  LD  %s\n' $@
	$(Q)$(CC) $(SANFLAGS) $(CONF_WRAP) -o $@ $(CONF_OBJ) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lpthread

# Fuzzers: firmware and simulator port under libFuzzer
FUZZ_SECONDS ?= 60
FB := build-fuzz
FUZZ_BIN := $(patsubst %.c,$(FB)/%,$(FUZZ_SRC))
FUZZ_CFLAGS := -std=gnu11 -O1 -g -Wall -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-MMD -MP -Ifirmware -I. -Ifirmware/port/sim
$(FB)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@printf '  CC  %s\n' $@
	$(Q)$(CLANG) $(FUZZ_CFLAGS) -c $< -o $@
# An archive, so that a fuzzer of one part needs no port.
$(FB)/fuzz.a: $(patsubst %.c,$(FB)/%.o,$(FW_SRC) $(SIM_SRC) $(filter-out $(FUZZ_SRC),$(wildcard tests/fuzz/*.c)))
	@printf '  AR  %s\n' $@
	$(Q)rm -f $@; $(AR) rcs $@ $^
$(FB)/tests/fuzz/fuzz_%: $(FB)/tests/fuzz/fuzz_%.o $(FB)/fuzz.a
	@printf '  LD  %s\n' $@
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ -lm
.PHONY: fuzz fuzz-corpus test-fuzz
fuzz: $(FUZZ_BIN)
	@tests/fuzz/run.sh fuzz $(FUZZ_SECONDS) $^
# What fuzzing has found becomes the corpus that test-fuzz replays.
fuzz-corpus: $(FUZZ_BIN)
	@tests/fuzz/run.sh keep $^ && git --no-pager diff --stat tests/fuzz/corpus
REPLAY := $(FB)/replay
$(REPLAY): Makefile
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nexec tests/fuzz/run.sh replay $(FUZZ_BIN)\n' > $@ && chmod +x $@
test-fuzz: $(FUZZ_BIN) $(REPLAY)
	@$(RUN) $(REPLAY)

# Running them
RUN = tests/harness/run -l $(B)/logs
E2E := $(wildcard tests/e2e/test_*.py)
# A benchmark or a helper beside the tests is not run as one.
SIM_TESTS := $(filter-out %_bench,$(SIM_BIN))
CHECK := $(B)/check
$(CHECK): Makefile
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nexec tests/harness/check.sh $(B)\n' > $@ && chmod +x $@

export TOE_BUILD := $(abspath $(B))

.PHONY: tests test-run test test-unit test-bpf test-sim test-conformance test-e2e check
tests: all apps $(UNIT_BIN) $(SIM_BIN) $(BPFTEST_BIN) $(CONF_BIN) $(B)/packetdrill_toe.so
test-unit: $(UNIT_BIN)
	@$(RUN) $^
test-bpf: $(BPFTEST_BIN)
	@$(RUN) $^
test-sim: $(SIM_TESTS)
	@$(RUN) $^
test-e2e: all apps nginx
	@$(RUN) $(E2E)
# test-e2e has every pair of settings; this has every combination.
.PHONY: test-interop
test-interop: root deps
	@$(MAKE) --no-print-directory -j2 -s all apps
	@tests/e2e/test_interop.py full

# The simulator's goodput as it is now becomes what test-sim compares with.
.PHONY: snapshot
snapshot: $(B)/tests/sim/sim_goodput
	@$< -w && git --no-pager diff --stat tests/sim/goodput.snapshot
test-conformance: $(CONF_BIN)
	@$(RUN) $^
check: $(B)/libtoefw.a $(B)/libtoe.so $(B)/toed $(B)/toectl $(CHECK)
	@$(RUN) $(CHECK)
# The unit tests once more, with ASan and UBSan: libtoe and toed, too, which fuzzing does not reach
SAN_UNIT := $(if $(SAN),,$(UNIT_BIN:$(B)/%=$(B)-san/%))
.PHONY: unit
unit: $(UNIT_BIN)
test-run: tests nginx $(CHECK) $(FUZZ_BIN) $(REPLAY)
	@$(RUN) $(CHECK) $(UNIT_BIN) $(SAN_UNIT) $(BPFTEST_BIN) $(SIM_TESTS) $(CONF_BIN) $(REPLAY) $(E2E)
test: root deps
	@$(MAKE) --no-print-directory -j2 -s tests nginx $(FUZZ_BIN)
	@$(if $(SAN_UNIT),$(MAKE) --no-print-directory -j2 -s SAN=1 unit)
	@$(MAKE) --no-print-directory -s test-run

# The firmware's tests on another architecture: those that are not of hosted sources
FW_UNIT := $(foreach t,$(filter-out libtoe_% toed_% toectl_%,$(patsubst tests/unit/test_%.c,%,$(UNIT_SRC))),$(if \
	$(wildcard manager/$(t).[ch] userspace/*/$(t).[ch] firmware/port/linux/$(t).[ch]),,$(B)/tests/unit/test_$(t)))
QEMU = qemu-$(ARCH)-static -L /usr/$(ARCH)-linux-gnu
# Without sim_goodput: minutes under qemu, for what is the same on every architecture.
# First seed, and how many: qemu keeps some 90 MB of page tables for every arena that was ever mapped.
CROSS_SEEDS := 1 2
.PHONY: cross-test
cross-test: $(FW_UNIT) $(filter-out %/sim_goodput,$(SIM_TESTS))
	@command -v qemu-$(ARCH)-static > /dev/null || { echo 'qemu-user-static is missing: make deps'; exit 1; }
	@set -e; for t in $^; do printf '#!/bin/sh\nexec $(QEMU) %s $(CROSS_SEEDS)\n' $$t > $$t.sh; chmod +x $$t.sh; done
	@$(RUN) $(addsuffix .sh,$^)

# To look at and to measure
.PHONY: demo bench bench-goodput
demo: root deps
	@$(MAKE) --no-print-directory -j2 -s all nginx
	@userspace/bench/demo.py
bench: root deps
	@$(MAKE) --no-print-directory -j2 -s all nginx apps $(B)/tests/sim/sim_bench
	@userspace/bench/bench.py
bench-goodput: root deps
	@$(MAKE) --no-print-directory -j2 -s all apps
	@userspace/bench/goodput.py $(GOODPUT)

# Installation
D := $(DESTDIR)$(PREFIX)
.PHONY: install
install: all
	install -d $(addprefix $(D)/,bin sbin include lib/pkgconfig lib/toe share/man/man1 share/man/man3 share/man/man8)
	install $(B)/toectl $(D)/bin/
	install $(B)/toed $(B)/toe-fw $(D)/sbin/
	install -m 644 $(B)/toe_xdp.bpf.o $(D)/lib/toe/
	install -m 644 manager/toe.h $(D)/include/
	install -m 644 userspace/man/toectl.1 $(D)/share/man/man1/
	install -m 644 userspace/man/libtoe.3 $(D)/share/man/man3/
	install -m 644 userspace/man/toed.8 $(D)/share/man/man8/
	install -m 644 $(B)/libtoe.a $(D)/lib/
	install $(B)/libtoe.so $(D)/lib/libtoe.so.1
	ln -sf libtoe.so.1 $(D)/lib/libtoe.so
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' \
		'Name: libtoe' 'Description: socket API of the TCP offload engine' 'Version: 0.1.0' \
		'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -ltoe' 'Libs.private: -lpthread' \
		> $(D)/lib/pkgconfig/libtoe.pc

.PHONY: clean
clean:
	rm -rf build build-*

.SECONDARY:
-include $(shell find $(B) $(FB) -name '*.d' 2>/dev/null)
