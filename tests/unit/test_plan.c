#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "calls.h"
#include "master/pure/plan.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const struct plan_file old_file = {
    .name = "/file",
    .mark = {.device = 1, .inode = 2, .size = 3, .modified = {4, 5}, .changed = {6, 7}}};

static struct plan_port port(uint16_t number, const char *text)
{
	return (struct plan_port){
	    .number = number, .text = text, .files = &old_file, .files_count = 1};
}

static struct plan make(const struct plan_port *now, size_t now_count,
			const struct plan_port *wanted, size_t wanted_count)
{
	struct plan plan;
	assert_int_equal(plan_make(&plan, now, now_count, wanted, wanted_count), 0);
	return plan;
}

static void row_is(const struct plan *plan, size_t i, uint16_t number, enum plan_action action)
{
	assert_true(i < plan->count);
	assert_int_equal(plan->rows[i].port, number);
	assert_string_equal(plan_action_name(plan->rows[i].action), plan_action_name(action));
}

static void each_action_in_the_order_of_the_numbers(void **state)
{
	const struct plan_port now[] = {port(8443, "c"), port(8000, "a"), port(8001, "b")};
	const struct plan_port wanted[] = {port(9000, "d"), port(8001, "B"), port(8000, "a")};
	struct plan plan = make(now, COUNT(now), wanted, COUNT(wanted));
	(void)state;
	assert_int_equal(plan.count, 4);
	row_is(&plan, 0, 8000, PLAN_KEEP);
	row_is(&plan, 1, 8001, PLAN_CHANGE);
	row_is(&plan, 2, 8443, PLAN_DROP);
	row_is(&plan, 3, 9000, PLAN_NEW);
	for (enum plan_action a = PLAN_KEEP; a <= PLAN_DROP; a++)
		assert_int_equal(plan.counts[a], 1);
	assert_false(plan.rows[1].files_only);
	plan_release(&plan);
}

static void a_change_has_both_texts_and_the_files_that_were_changed(void **state)
{
	struct plan_file files[4] = {old_file, old_file, old_file, old_file}, changed[4];
	static const char *const names[] = {"/cert", "/other", "/key", "/key"};
	for (size_t i = 0; i < 4; i++)
		files[i].name = names[i];
	memcpy(changed, files, sizeof(changed));
	changed[2].mark.size = changed[3].mark.size = 7;
	struct plan_port now = {1, "a", files, 4}, wanted = {1, "b", changed, 4};
	struct plan plan = make(&now, 1, &wanted, 1);
	(void)state;
	assert_string_equal(plan.rows[0].now, "a");
	assert_string_equal(plan.rows[0].wanted, "b");
	assert_string_equal(plan.rows[0].files, "/key\n"); /* once */
	assert_int_equal(plan_add_common(&plan, "x", "x"), 0);
	assert_null(plan.now);
	assert_int_equal(plan_add_common(&plan, "x", "y"), 0);
	assert_string_equal(plan.now, "x");
	assert_string_equal(plan.wanted, "y");
	plan_release(&plan);
	wanted.text = "a";
	plan = make(&now, 1, &wanted, 1);
	assert_true(plan.rows[0].files_only);
	assert_null(plan.rows[0].now);
	assert_string_equal(plan.rows[0].files, "/key\n");
	plan_release(&plan);
	wanted.files = files;
	plan = make(&now, 1, &wanted, 1);
	assert_int_equal(plan.rows[0].action, PLAN_KEEP);
	assert_null(plan.rows[0].files);
	plan_release(&plan);
}

static void one_side_may_be_empty(void **state)
{
	const struct plan_port some[] = {port(2, "a"), port(1, "b")};
	(void)state;
	struct plan plan = make(NULL, 0, some, COUNT(some));
	assert_int_equal(plan.count, 2);
	row_is(&plan, 0, 1, PLAN_NEW);
	plan_release(&plan);
	plan = make(some, COUNT(some), NULL, 0);
	assert_int_equal(plan.count, 2);
	row_is(&plan, 1, 2, PLAN_DROP);
	plan_release(&plan);
	plan = make(NULL, 0, NULL, 0);
	assert_int_equal(plan.count, 0);
	plan_release(&plan);
}

/* A configuration that changes, too, may have moved the file in the list. */
static void a_file_is_found_by_its_name(void **state)
{
	const struct plan_file files[] = {{"/a", {.inode = 1}}, {"/b", {.inode = 2}}};
	const struct plan_file moved[] = {
	    {"/new", {.inode = 3}}, {"/b", {.inode = 2}}, {"/a", {.inode = 4}}};
	const struct plan_port now = {1, "a", files, 2}, wanted = {1, "b", moved, 3};
	struct plan plan = make(&now, 1, &wanted, 1);
	(void)state;
	assert_string_equal(plan.rows[0].files, "/a\n");
	plan_release(&plan);
}

/* A file's mark has its size and times. A directory is judged by where it is alone: files come and
 * go in it, and it is the same. */
static void a_directory_is_judged_by_its_place(void **state)
{
	struct stat a = {.st_mode = S_IFDIR | 0755, .st_dev = 1, .st_ino = 2, .st_size = 4096},
		    b = a;
	(void)state;
	b.st_size++;
	b.st_mtim.tv_sec++;
	b.st_ctim.tv_nsec++;
	struct file_mark x = file_mark_of(&a), y = file_mark_of(&b);
	assert_true(file_mark_equal(&x, &y));
	a.st_mode = b.st_mode = S_IFREG | 0644;
	x = file_mark_of(&a);
	y = file_mark_of(&b);
	assert_false(file_mark_equal(&x, &y));
	b = a;
	b.st_mode = a.st_mode = S_IFDIR | 0755;
	b.st_ino++;
	x = file_mark_of(&a);
	y = file_mark_of(&b);
	assert_false(file_mark_equal(&x, &y));
}

/* Any other value in a mark means another file. */
static void files_alone_make_a_change(void **state)
{
	struct plan_file files[6] = {old_file, old_file, old_file, old_file, old_file, old_file};
	(void)state;
	files[0].mark.device++;
	files[1].mark.inode++;
	files[2].mark.size++;
	files[3].mark.modified.tv_nsec++;
	files[4].mark.modified.tv_sec++;
	files[5].mark.changed.tv_nsec++;
	for (size_t i = 0; i < COUNT(files); i++) {
		const struct plan_port now = port(1, "a");
		struct plan_port wanted = now;
		wanted.files = &files[i];
		struct plan plan = make(&now, 1, &wanted, 1);
		row_is(&plan, 0, 1, PLAN_CHANGE);
		assert_true(plan.rows[0].files_only);
		plan_row_becomes(&plan, &plan.rows[0], PLAN_KEEP, "the same");
		row_is(&plan, 0, 1, PLAN_KEEP);
		assert_int_equal(plan.counts[PLAN_KEEP], 1);
		assert_int_equal(plan.counts[PLAN_CHANGE], 0);
		plan_release(&plan);
	}
}

static void another_number_of_files_is_a_change(void **state)
{
	const struct plan_port now = port(1, "a");
	struct plan_port wanted = now;
	(void)state;
	wanted.files_count = 0;
	struct plan plan = make(&now, 1, &wanted, 1);
	row_is(&plan, 0, 1, PLAN_CHANGE);
	plan_release(&plan);
	plan = make(&wanted, 1, &now, 1);
	row_is(&plan, 0, 1, PLAN_CHANGE);
	plan_release(&plan);
}

/* Equal files never undo a change of the configuration. */
static void another_text_is_no_matter_of_files(void **state)
{
	const struct plan_file other = {.name = "/file", .mark = {.inode = 1}};
	const struct plan_port now = port(1, "a");
	struct plan_port wanted = port(1, "b");
	(void)state;
	wanted.files = &other;
	struct plan plan = make(&now, 1, &wanted, 1);
	row_is(&plan, 0, 1, PLAN_CHANGE);
	assert_false(plan.rows[0].files_only);
	plan_release(&plan);
}

/* --- a site that grows ------------------------------------------------------------------------ */

/* A host more at the front moves all files of the others. */
static void a_plan_of_many_files_does_not_compare_each_with_each(void **state)
{
	enum { MANY = 4000 };
	static char names[MANY + 1][64];
	static struct plan_file before[MANY], after[MANY + 1];
	struct plan plan;
	size_t lines = 0;
	(void)state;
	for (size_t i = 0; i <= MANY; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "/etc/letsencrypt/live/shop%zu/pem", i);
		after[i] = (struct plan_file){.name = names[i], .mark = {.inode = i + 10}};
		if (i > 0)
			before[i - 1] = (struct plan_file){.name = names[i], .mark = {.inode = i}};
	}
	const struct plan_port now = {443, "now", before, MANY};
	const struct plan_port wanted = {443, "wanted", after, MANY + 1};
	strcmp_calls = 0;
	assert_int_equal(plan_make(&plan, &now, 1, &wanted, 1), 0);
	assert_true(strcmp_calls < 2 * calls_of_a_sort(2 * MANY));
	for (const char *c = plan.rows[0].files; *c != '\0'; c++)
		lines += *c == '\n';
	assert_int_equal(lines, MANY);
	plan_release(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_action_in_the_order_of_the_numbers),
	    cmocka_unit_test(a_change_has_both_texts_and_the_files_that_were_changed),
	    cmocka_unit_test(a_file_is_found_by_its_name),
	    cmocka_unit_test(a_directory_is_judged_by_its_place),
	    cmocka_unit_test(one_side_may_be_empty),
	    cmocka_unit_test(files_alone_make_a_change),
	    cmocka_unit_test(another_number_of_files_is_a_change),
	    cmocka_unit_test(another_text_is_no_matter_of_files),
	    cmocka_unit_test(a_plan_of_many_files_does_not_compare_each_with_each),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
