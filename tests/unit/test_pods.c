/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of pods as the API server and the kubelet send them, and what is not one. */
#include "unit.h"

#include <errno.h>
#include <stdbool.h>

#include "base/buf.h"
#include "proc/identity.h"
#include "proc/pods.h"
#include "proc/process.h"
#include "proc/startup.h"

/* Behind eight digits that are a pod's number. */
#define ID_TAIL "b1b64a6c9e4b7d3c5a1e8f90b2c4d6e8f0a1b3c5d7e9f1a2b3c4d5e6"
#define UID_TAIL "-5b2d-4e6f-8a9b-1c2d3e4f5a6b"

/* A pod of a Deployment, with what the API server adds that nobody asks for; `more` among its annotations. */
static void add_pod(struct buf *b, int n, const char *more)
{
	buf_printf(b, "%s{\"metadata\":{\"name\":\"web-7d4b9c6f5-%04d\",\"generateName\":\"web-7d4b9c6f5-\",\"namespace\":\"shop\",\"uid\":\"%08x" UID_TAIL "\",", n ? "," : "",
		   n, n);
	buf_printf(b, "\"resourceVersion\":\"1%d\",\"labels\":{\"app.kubernetes.io/name\":\"web\",\"pod-template-hash\":\"7d4b9c6f5\"},", n);
	buf_printf(b, "\"annotations\":{\"prometheus.io/scrape\":\"true\"%s},", more);
	buf_puts(b, "\"ownerReferences\":[{\"apiVersion\":\"apps/"
		    "v1\",\"kind\":\"Node\",\"name\":\"n\"},"
		    "{\"apiVersion\":\"apps/"
		    "v1\",\"kind\":\"ReplicaSet\",\"name\":\"web-7d4b9c6f5\",\"uid\":\"x\","
		    "\"controller\":true,\"blockOwnerDeletion\":true},"
		    "{\"kind\":\"ReplicaSet\",\"name\":\"other-7d4b9c6f5\",\"controller\":false},{"
		    "\"name\":\"last\"}],"
		    "\"managedFields\":[{\"manager\":\"kubelet\",\"fieldsV1\":{\"f:metadata\":{\"f:"
		    "labels\":{\".\":{},\"f:app\":{}}}}}]},");
	buf_puts(b, "\"spec\":{\"nodeName\":\"node-1\",\"containers\":[{\"name\":\"srv\",\"image\":"
		    "\"reg/web:1\",\"env\":[{\"name\":\"A\",\"value\":\"b\"}]}],\"priority\":0},");
	buf_printf(b,
		   "\"status\":{\"phase\":\"Running\",\"podIP\":\"10.0.0.%d\",\"podIPs\":[{\"ip\":"
		   "\"10.0.0.1\"}],\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}],",
		   n % 250);
	buf_printf(b,
		   "\"containerStatuses\":[{\"name\":\"srv\",\"state\":{\"running\":{\"startedAt\":"
		   "\"2026-01-01T00:00:00Z\"}},\"ready\":true,\"image\":\"reg/"
		   "web:1\",\"imageID\":\"sha256:0\",\"containerID\":\"containerd://%08x" ID_TAIL
		   "\"},"
		   "{\"name\":\"waiting\",\"image\":\"reg/x:1\",\"containerID\":\"\"}]}}",
		   n);
}

static void make_list(struct buf *b, int n, const char *more)
{
	buf_puts(b, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"123\"},\"items\":[");
	for (int i = 0; i < n; i++)
		add_pod(b, i, more);
	buf_puts(b, "]}\n");
}

/* Fed in pieces of so many bytes. */
static int read_list(const void *data, size_t len, size_t piece, struct pods **ret)
{
	struct pods_reader *r;
	int e = pods_reader_new(&r);

	assert_int_equal(e, 0);
	for (size_t at = 0; at < len && e >= 0; at += piece)
		e = pods_reader_feed(r, (const char *)data + at, len - at < piece ? len - at : piece);
	if (e >= 0)
		e = pods_reader_finish(r, ret);
	pods_reader_free(r);
	return e;
}

static const char *label(const struct pods *p, const char *container, const char *uid, const char *name)
{
	static char text[256];
	struct strmap m = { 0 };
	const char *v;

	pods_labels(p, container, uid, &m);
	v = strmap_get(&m, name);
	snprintf(text, sizeof(text), "%s", v ? v : "");
	strmap_fini(&m);
	return text;
}

static void a_container_has_the_labels_of_its_pod(void **state)
{
	static const struct {
		const char *name, *value;
	} rows[] = {
		{ "namespace", "shop" }, { "node_name", "node-1" }, { "pod_name", "web-7d4b9c6f5-0007" }, { "pod_ip", "10.0.0.7" },
		{ "pod_phase", "Running" }, { "pod_label_app_kubernetes_io_name", "web" }, { "pod_annotation_prometheus_io_scrape", "true" },
		{ "pod_controller_kind", "ReplicaSet" }, { "pod_controller_name", "web-7d4b9c6f5" }, { "pod_deployment_name", "web" },
		{ "pod_container_name", "srv" }, { "pod_container_image", "reg/web:1" },
	};
	struct buf b = BUF_INIT;
	struct pods *p;
	char name[128];

	make_list(&b, 110, "");
	assert_int_equal(read_list(b.data, b.len, 1000, &p), 0);
	assert_int_equal(pods_count(p), 110);
	assert_int_equal(pods_left_out(p), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(name, sizeof(name), "__meta_kubernetes_%s", rows[i].name);
		assert_string_equal(label(p, "00000007" ID_TAIL, "", name), rows[i].value);
	}
	assert_string_equal(label(p, "", "00000008" UID_TAIL, "__meta_kubernetes_pod_name"), "web-7d4b9c6f5-0008");
	assert_string_equal(label(p, "", "00000008" UID_TAIL, "__meta_kubernetes_pod_container_name"), "");
	assert_string_equal(label(p, "", "", "__meta_kubernetes_pod_name"), "");
	pods_free(p);
	buf_fini(&b);
}

static void it_does_not_matter_where_the_network_cuts_a_list(void **state)
{
	struct buf b = BUF_INIT;
	struct pods *whole, *p;

	make_list(&b, 3, "");
	assert_int_equal(read_list(b.data, b.len, b.len, &whole), 0);
	for (size_t piece = 1; piece < 40; piece++) {
		assert_int_equal(read_list(b.data, b.len, piece, &p), 0);
		assert_true(pods_equal(p, whole));
		pods_free(p);
	}
	for (size_t n = 0; n + 2 < b.len; n += 7) /* cut off */
		assert_int_equal(read_list(b.data, n, 64, &p), -EBADMSG);
	buf_reset(&b);
	make_list(&b, 3, ",\"a\":\"changed\"");
	assert_int_equal(read_list(b.data, b.len, 64, &p), 0);
	assert_false(pods_equal(p, whole));
	pods_free(p);
	pods_free(whole);
	buf_fini(&b);
}

static void what_is_no_list_of_pods_is_refused(void **state)
{
	static const char *const refused[] = { "", "[]", "{}", "null", "{\"kind\":\"Status\",\"code\":403}", "<html>", "{\"kind\":\"PodList\"",
					       "{\"kind\":\"PodList\"} x", "{\"kind\":\"PodList\",\"items\":[}" };
	struct buf deep = BUF_INIT;
	struct pods *p;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_int_equal(read_list(refused[i], strlen(refused[i]), 5, &p), -EBADMSG);
	for (int i = 0; i < 100000; i++)
		buf_puts(&deep, "{\"items\":[");
	assert_int_equal(read_list(deep.data, deep.len, 4096, &p), -EBADMSG);
	buf_fini(&deep);
	assert_int_equal(read_list("{\"kind\":\"PodList\",\"items\":null}", 31, 5, &p), 0); /* the kubelet's of an empty node */
	assert_int_equal(pods_count(p), 0);
	pods_free(p);
}

static void a_huge_list_is_bounded_and_counted(void **state)
{
	struct buf b = BUF_INIT, more = BUF_INIT;
	struct pods *p;

	buf_printf(&more, ",\"manifest\":\"%0*d\",\"short\":\"x\"", PODS_ANNOTATION_MAX + 1, 1);
	buf_putc(&more, '\0');
	make_list(&b, PODS_MAX + 100, (char *)more.data);
	assert_int_equal(read_list(b.data, b.len, 16384, &p), 0);
	assert_int_equal(pods_count(p), PODS_MAX);
	assert_int_equal(pods_left_out(p), 100);
	assert_string_equal(label(p, "", "00000000" UID_TAIL, "__meta_kubernetes_pod_annotation_manifest"), "");
	assert_string_equal(label(p, "", "00000000" UID_TAIL, "__meta_kubernetes_pod_annotation_short"), "x");
	pods_free(p);
	buf_fini(&b);
	buf_fini(&more);
}

/* The rungs of the ladder that a pod makes, between what the process says and its cgroup's path. */
static void a_pod_names_the_service(void **state)
{
	static const char cgroup[] = "/kubepods/burstable/pod00000001" UID_TAIL "/00000001" ID_TAIL;
	static const struct {
		const char *more, *want;
		bool said, listed;
	} rows[] = {
		{ ",\"pyroscope.io/service_name\":\"p\",\"resource.opentelemetry.io/service.name\":\"o\"", "said", true, true },
		{ ",\"pyroscope.io/service_name\":\"p\",\"resource.opentelemetry.io/service.name\":\"o\"", "p", false, true },
		{ ",\"resource.opentelemetry.io/service.name\":\"o\"", "o", false, true },
		{ "", "shop/srv", false, true },
		{ "", "00000001b1b6", false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct process proc = { .pid = 1 << 30, .exe = "x", .declared = rows[i].said ? "service.name=said\n" : NULL };
		const struct identity_view v = { .process = &proc, .cgroup = cgroup };
		struct buf b = BUF_INIT;
		struct startup start = { 0 };
		struct strmap m = { 0 };
		struct pods *p;

		make_list(&b, rows[i].listed ? 2 : 1, rows[i].more);
		assert_int_equal(read_list(b.data, b.len, 4096, &p), 0);
		assert_int_equal(identity_labels(&v, &(struct identity_lists){ .pods = p }, true,
						 &start, &m),
				 rows[i].listed);
		assert_string_equal(strmap_get(&m, "service_name"), rows[i].want);
		assert_string_equal(strmap_get(&m, "__meta_kubernetes_pod_uid"), "00000001" UID_TAIL);
		strmap_fini(&m);
		assert_int_equal(identity_labels(&v, &(struct identity_lists){ 0 }, false, &start,
						 &m),
				 false); /* nobody lists pods */
		strmap_fini(&m);
		startup_fini(&start);
		pods_free(p);
		buf_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_container_has_the_labels_of_its_pod),
		cmocka_unit_test(it_does_not_matter_where_the_network_cuts_a_list),
		cmocka_unit_test(what_is_no_list_of_pods_is_refused),
		cmocka_unit_test(a_huge_list_is_bounded_and_counted),
		cmocka_unit_test(a_pod_names_the_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
