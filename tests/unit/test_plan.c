#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/pure/plan.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const struct file_mark old_mark = {
    .device = 1, .inode = 2, .size = 3, .modified = {4, 5}, .changed = {6, 7}};

static struct plan_port port(uint16_t number, const char *text)
{
	return (struct plan_port){
	    .number = number, .text = text, .marks = &old_mark, .marks_count = 1};
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
	static const char *const names[] = {"/cert", "/other", "/key", "/key"};
	struct file_mark marks[4] = {old_mark, old_mark, old_mark, old_mark},
			 changed[4] = {old_mark, old_mark, old_mark, old_mark};
	changed[2].size = changed[3].size = 7;
	struct plan_port now = {1, "a", marks, 4, names}, wanted = {1, "b", changed, 4, names};
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
	wanted.marks = marks;
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

/* Any other value in a mark means another file. */
static void files_alone_make_a_change(void **state)
{
	struct file_mark marks[6] = {old_mark, old_mark, old_mark, old_mark, old_mark, old_mark};
	(void)state;
	marks[0].device++;
	marks[1].inode++;
	marks[2].size++;
	marks[3].modified.tv_nsec++;
	marks[4].modified.tv_sec++;
	marks[5].changed.tv_nsec++;
	for (size_t i = 0; i < COUNT(marks); i++) {
		const struct plan_port now = port(1, "a");
		struct plan_port wanted = now;
		wanted.marks = &marks[i];
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
	wanted.marks_count = 0;
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
	const struct file_mark other = {.inode = 1};
	const struct plan_port now = port(1, "a");
	struct plan_port wanted = port(1, "b");
	(void)state;
	wanted.marks = &other;
	struct plan plan = make(&now, 1, &wanted, 1);
	row_is(&plan, 0, 1, PLAN_CHANGE);
	assert_false(plan.rows[0].files_only);
	plan_release(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_action_in_the_order_of_the_numbers),
	    cmocka_unit_test(a_change_has_both_texts_and_the_files_that_were_changed),
	    cmocka_unit_test(one_side_may_be_empty),
	    cmocka_unit_test(files_alone_make_a_change),
	    cmocka_unit_test(another_number_of_files_is_a_change),
	    cmocka_unit_test(another_text_is_no_matter_of_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
