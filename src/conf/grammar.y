/*
 * The grammar of bulkhead.conf(5). Runs in the master and, on the text of its own port, in every
 * child. Must never touch anything but its struct conf_parser.
 *
 * A statement takes effect as soon as its last necessary word is read, so that a later mistake cannot
 * undo it; therefore statements with optional tails are left-recursive. recover.c handles mistakes.
 */
%require "3.8"
%define api.pure full
%define api.prefix {conf_yy}
%define api.token.prefix {T_}
%define api.value.type {struct conf_value}
%define api.location.type {struct conf_where}
%define parse.error custom
%define parse.lac full
%locations
%param {struct conf_parser *p}

%code requires {
#include "conf/conf.h"

struct conf_parser;
struct conf_piece;
struct conf_statement;

/* The value of a token: its text, which lives as long as the configuration. */
struct conf_value {
	const char *data; /* NUL-terminated after len; a string may contain NUL bytes before that */
	size_t len;
	int token;
	bool foreign; /* a string in other quotes than double ones; then broken is set, too */
	bool broken; /* it has a mistake that was reported: its content is not checked */
	bool raw;    /* a string in which nothing was replaced */
	const struct conf_statement *statement; /* that it begins; NULL: the grammar knows it */
	const struct conf_piece *piece;         /* that it is of its statement, with MORE and DONE */
	int part;                               /* enum conf_part */
};
}

%code {
#include "parser.h"

static void conf_yyerror(const struct conf_where *, struct conf_parser *, const char *);

#define YYLLOC_DEFAULT(Current, Rhs, N)                                                            \
	((Current) = (N) > 0 ? YYRHSLOC(Rhs, 1) : YYRHSLOC(Rhs, 0))
}

/* This reads bison's counter of errors, because clang 15 and later warn that nothing else does. */
%initial-action {
	@$ = (struct conf_where){0};
	(void)yynerrs;
}

%token WORD "a value"
%token STRING "a string"
%token SEPARATOR   /* not in any text: recover.c inserts it where the parser continues after a mistake */
%token INCLUDE_END "the end of the included file"
%token OPEN "{" CLOSE "}" SEMICOLON ";"
%token AFTER "after" ANY "any" BLOCK "block" CERTIFICATE "certificate" CONSOLE "console" CONTROL "control" DEFINE "define" DEVELOPMENT "development" ERROR "error" EXACT "exact"
%token FACILITY "facility" FAULT "fault" HEADER "header" HOST "host" INCLUDE "include" JOURNAL "journal" KEY "key" LIMITS "limits" LISTEN "listen"
%token FROM "from" PROTOCOL "protocol" PROXY "proxy"
%token LOCATION "location" LOG "log" METHODS "methods" OFF "off" ON "on" PATH "path" PORT "port" RATE "rate" RESTART "restart"
%token SOCKET "socket" SYSLOG "syslog" TIMEOUTS "timeouts" TLS "tls" TO "to" UPSTREAM "upstream" USE "use" USER "user"

/* The words of settings and handlers, by their blocks; see statement.h. */
%token GLOBAL "a global setting" SETTING "a setting" PORT_SETTING "a setting of a port"
%token RESTART_SETTING "a setting of restart" LIMIT "a limit" TLS_SETTING "a setting of tls"
%token HANDLER "a handler" BARE_HANDLER "a bare handler" OPTIONS_HANDLER "a handler with options" RESPOND "respond"
%token FILTER "a filter" OPTIONS_FILTER "a filter with options"
%token OPTION "an option"
%token INNER "a word inside a statement"
/* What follows such a word: DONE may end the statement. */
%token MORE "more of the statement" DONE "the end of the statement"

/* After a fault, `rate` is a word of it. */
%precedence FAULT_END
%precedence "rate"

%%

file:
	top_items
;

top_items:
	%empty
|	top_items top_item
;

top_item:
	";"
|	mistake
|	include top_items include_end
|	define
|	block block_items "}"		{ conf_block_close(p); }
|	setting
|	global rest
|	"log" "to" sink
|	"log" "rate" log_rate		{ conf_set_value(p, "log rate", &$3, &@1, &@3); }
|	port port_items "}"		{ conf_port_close(p); }
|	filter
;

/* Both must take effect before the next token is read, as include must. */
define: "define" WORD STRING		{ conf_define(p, &$2, &$3, &@1, &@2); } ;

/* Its content is text until something uses it. */
block:
	"block" WORD "{"		{ conf_block_define(p, &$2, &@1, &@2); }
;

block_items:
	%empty
|	block_items mistake
;

/* A word with what its description asks for; form.c reads ahead what each token is. */
global: global_word			{ conf_begin(p, &$1, &@1); } ;

global_word: GLOBAL | "control" ;

rest:
	more DONE			{ conf_done(p, &$2, &@2); }
|	rest more DONE			{ conf_done(p, &$3, &@3); }
;

more:
	%empty
|	more MORE			{ conf_more(p, &$2, &@2); }
;

log_rate: WORD | "off" ;

sink:
	"console"			{ conf_log_to(p, T_CONSOLE, &@1); }
|	syslog
|	journal
;

syslog:
	"syslog"			{ conf_log_to(p, T_SYSLOG, &@1); }
|	syslog "facility" facility	{ conf_log_facility(p, &$3, &@2, &@3); }
|	syslog "path" STRING		{ conf_log_path(p, T_SYSLOG, &$3, &@2, &@3); }
;

facility:
	WORD
|	"syslog"
|	"user"
;

journal:
	"journal"			{ conf_log_to(p, T_JOURNAL, &@1); }
|	journal "path" STRING		{ conf_log_path(p, T_JOURNAL, &$3, &@2, &@3); }
;

/* Statements at the top level for all ports, and in a port for that one. */
setting:
	setting_begin rest
|	"key" "user" DONE		{ conf_set_value(p, "key user", &$3, &@1, &@3); }
|	restart restart_items "}"	{ conf_block_close(p); }
|	limits limits_items "}"		{ conf_block_close(p); }
|	certificates
|	proxies
;

setting_begin: setting_word		{ conf_begin(p, &$1, &@1); } ;

setting_word: SETTING | "user" ;

/* Whose connections begin with a header of the PROXY protocol. */
proxies:
	"proxy" "protocol" "off"	{ conf_proxies_off(p, &@1); }
|	proxies_list
;

proxies_list:
	"proxy" "protocol" "from" WORD	{ conf_proxies_first(p, &$4, &@1, &@4); }
|	proxies_list WORD		{ conf_proxies_add(p, &$2, &@2); }
;

restart:
	"restart" "{"			{ conf_block_open(p, CONF_BLOCK_RESTART, "restart", &@1); }
;

restart_items:
	%empty
|	restart_items restart_item
;

restart_item:
	";"
|	mistake
|	include restart_items include_end
|	restart_setting rest
;

restart_setting: RESTART_SETTING	{ conf_begin(p, &$1, &@1); } ;

limits:
	"limits" "{"			{ conf_block_open(p, CONF_BLOCK_LIMITS, "limits", &@1); }
;

limits_items:
	%empty
|	limits_items limits_item
;

limits_item:
	";"
|	mistake
|	include limits_items include_end
|	limit rest
;

limit: LIMIT				{ conf_begin(p, &$1, &@1); } ;

certificates:
	tls tls_items "}"		{ conf_tls_close(p); }
|	"tls" "development"		{ conf_tls_development(p, &@1); }
|	"tls" "off"			{ conf_tls_off(p, &@1); }
;

tls:
	"tls" "{"			{ conf_tls_open(p, &@1); }
;

tls_items:
	%empty
|	tls_items tls_item
;

/* A pair is two items: a half without the other one gets a message of its own. */
tls_item:
	";"
|	mistake
|	include tls_items include_end
|	"certificate" STRING		{ conf_add_certificate(p, &$2, &@1, &@2); }
|	"key" STRING			{ conf_add_key(p, &$2, &@1, &@2); }
|	"development"			{ conf_tls_add_development(p, &@1); }
|	tls_setting rest
;

tls_setting: TLS_SETTING		{ conf_begin(p, &$1, &@1); } ;

port:
	port_numbers "{"		{ conf_port_open(p, &@1); }
;

port_numbers:
	"port" WORD			{ conf_port_begin(p, &$2, &@2); }
|	port_numbers WORD		{ conf_port_number(p, &$2, &@2); }
;

port_items:
	%empty
|	port_items port_item
;

port_item:
	";"
|	mistake
|	include port_items include_end
|	setting
|	"listen" "on" WORD		{ conf_add_address(p, &$3, &@3); }
|	"listen" "on" "socket" STRING	{ conf_add_socket(p, &$4, &@4); }
|	port_setting rest
|	upstream options_items "}"	{ conf_upstream_close(p); }
|	host host_items "}"		{ conf_host_close(p); }
|	location location_items "}"	{ conf_location_close(p); }
|	handler
|	filter
|	error_block
;

port_setting: PORT_SETTING		{ conf_begin(p, &$1, &@1); } ;

upstream:
	"upstream" STRING "{"		{ conf_upstream_open(p, &$2, &@1, &@2); }
;

host:
	host_names "{"			{ conf_host_open(p, &@1); }
;

host_names:
	"host" STRING			{ conf_host_begin(p, &$2, &@2); }
|	host_names STRING		{ conf_host_name(p, &$2, &@2); }
;

host_items:
	%empty
|	host_items host_item
;

host_item:
	";"
|	mistake
|	include host_items include_end
|	certificates
|	location location_items "}"	{ conf_location_close(p); }
|	handler
|	filter
|	error_block
;

location:
	"location" STRING "{"		{ conf_location_open(p, &$2, false, &@1, &@2); }
|	"location" "exact" STRING "{"	{ conf_location_open(p, &$3, true, &@1, &@3); }
;

location_items:
	%empty
|	location_items location_item
;

location_item:
	";"
|	mistake
|	include location_items include_end
|	handler
|	filter
|	error_block
|	location_setting rest
|	"fault" "control"		{ conf_fault_control(p, &@1); }
|	fault %prec FAULT_END
;

location_setting: "path"		{ conf_begin(p, &$1, &@1); } ;

/* fault/fault.h has the catalogue of kinds, names and values. Some of them are words of the language
 * as well: tests/unit/test_conf.c tries all. */
fault:
	"fault" fault_kind		{ conf_fault(p, &$2, &@1, &@2); }
|	fault fault_name fault_value	{ conf_fault_parameter(p, &$2, &$3, &@2); }
|	fault "rate" DONE		{ conf_fault_parameter(p, &$2, &$3, &@2); }
;

fault_kind: WORD | "certificate" | "upstream" ;

fault_name: WORD | "after" | INNER ;

fault_value: WORD | STRING | INNER | "after" | "header" | "socket" ;

handler:
	handler_begin rest
|	bare_handler
|	options_begin rest
|	options options_items "}"	{ conf_block_close(p); }
|	methods
;

handler_begin: handler_word		{ conf_begin(p, &$1, &@1); } ;

handler_word: HANDLER | "respond" ;

/* A handler whose options are in a block. */
options_begin: options_word		{ conf_options_begin(p, $1.statement); conf_begin(p, &$1, &@1); } ;

/* `proxy protocol` begins with that word, too. */
options_word: OPTIONS_HANDLER | "proxy" ;

options:
	options_begin rest "{"		{ conf_options_open(p, &@1, &@3); }
;

options_items:
	%empty
|	options_items options_item
;

options_item:
	";"
|	mistake
|	include options_items include_end
|	option rest
|	timeouts options_items "}"	{ conf_block_close(p); }
;

timeouts:
	"timeouts" "{"			{ conf_timeouts_open(p, &@1); }
;

option: OPTION				{ conf_begin(p, &$1, &@1); } ;

/* What stands in front of the handlers of the place. */
filter:
	filter_begin rest
|	options_filter rest
|	filter_options options_items "}"	{ conf_block_close(p); }
;

filter_begin: filter_word		{ conf_begin(p, &$1, &@1); } ;

filter_word: FILTER | "header" | "rate" ;

options_filter:
	OPTIONS_FILTER			{ conf_options_begin(p, $1.statement); conf_begin(p, &$1, &@1); }
;

filter_options:
	options_filter rest "{"		{ conf_options_open(p, &@1, &@3); }
;

bare_handler: BARE_HANDLER		{ conf_begin(p, &$1, &@1); } ;

error_block: error_head error_items "}"	{ conf_error_close(p); } ;

error_head:
	error_statuses "{"		{ conf_error_open(p, &@1); }
;

error_statuses:
	"error" WORD			{ conf_error_begin(p, &$2, &@1, &@2); }
|	error_statuses WORD		{ conf_error_status(p, &$2, &@2); }
;

error_items:
	%empty
|	error_items error_item
;

/* Without a status: that of the error stays. */
error_item:
	";"
|	mistake
|	include error_items include_end
|	error_respond rest
;

error_respond:
	"respond"			{ conf_error_respond(p, &@1); conf_begin(p, &$1, &@1); }
;

methods:
	"methods" "any"			{ conf_methods_any(p, &@1); }
|	methods_list
;

methods_list:
	"methods" STRING		{ conf_methods_first(p, &$2, &@1, &@2); }
|	methods_list STRING		{ conf_methods_add(p, &$2, &@2); }
;

/* The text of the included file comes next, so the parser must not have read ahead. It does not
 * where only one action is possible. */
include:
	"include" STRING		{ conf_include(p, &$2, &@1, &@2); }
|	"use" WORD			{ conf_block_use(p, &$2, &@1, &@2); }
;

include_end:
	INCLUDE_END			{ conf_include_end(p); }
;

mistake:
	error
	{
		if (!conf_recover(p))
			YYABORT;
		yyclearin;
	}
	SEPARATOR			{ yyerrok; }
;

%%

static int yyreport_syntax_error(const yypcontext_t *context, struct conf_parser *p)
{
	yysymbol_kind_t kinds[YYNTOKENS];
	const char *names[YYNTOKENS];
	int count = yypcontext_expected_tokens(context, kinds, YYNTOKENS);
	if (count < 0)
		return count;
	for (int i = 0; i < count; i++)
		names[i] = yysymbol_name(kinds[i]);
	conf_mistake(p, names, (size_t)count);
	return 0;
}

/* Called only when the parser is out of memory: conf_mistake() reports everything else. */
static void conf_yyerror(const struct conf_where *where, struct conf_parser *p, const char *text)
{
	(void)where;
	(void)text;
	conf_out_of_memory(p);
}
