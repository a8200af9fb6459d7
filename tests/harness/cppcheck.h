/* SPDX-License-Identifier: BSD-2-Clause */
/* Macros of libraries, for cppcheck alone, which does not see their headers. */
#define LIBBPF_OPTS(type, name, ...) struct type name = { __VA_ARGS__ }
#define DECLARE_LIBXDP_OPTS(type, name, ...) struct type name = { __VA_ARGS__ }
#define json_array_foreach(a, i, v) \
	for (i = 0; i < json_array_size(a) && (v = json_array_get(a, i)); i++)
#define json_object_foreach(o, k, v) \
	for (k = json_key(o); k && (v = json_value(k)); k = json_next(o, k))
#define bpf_object__for_each_program(p, o) \
	for (p = bpf_object__next_program(o, NULL); p; p = bpf_object__next_program(o, p))
#define bpf_object__for_each_map(m, o) \
	for (m = bpf_object__next_map(o, NULL); m; m = bpf_object__next_map(o, m))
