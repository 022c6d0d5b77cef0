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

/* The value of a token: its text, which lives as long as the configuration. */
struct conf_value {
	const char *data; /* NUL-terminated after len; a string may contain NUL bytes before that */
	size_t len;
	int token;
	bool foreign; /* a string in other quotes than double ones; then broken is set, too */
	bool broken; /* it has a mistake that was reported: its content is not checked */
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
%token ACCESS "access" AFTER "after" ANY "any" AUTO "auto" BACKOFF "backoff" BODY "body"
%token BODY_TIMEOUT "body-timeout" CERTIFICATE "certificate" CHROOT "chroot"
%token CONNECTIONS "connections" CONSOLE "console" CONTROL "control" CORE "core" DEVELOPMENT "development" DRAIN "drain" ECHO "echo"
%token ENABLED "enabled" FAULT "fault" FAULTS "faults"
%token ERRORS "errors" FACILITY "facility" GROUP "group" HANDSHAKE_TIMEOUT "handshake-timeout"
%token HEAD "head" HEAD_TIMEOUT "head-timeout" HEADER "header" IDLE "idle" IN "in"
%token INCLUDE "include" JOURNAL "journal" KEY "key" KEYHOLDERS "keyholders" LENIENT "lenient"
%token LIFETIME "lifetime" LIMITS "limits" LISTEN "listen" LOCATION "location" LOG "log" MEMORY "memory" METHODS "methods" OFF "off"
%token ON "on" PARK "park" PARKED "parked" PATH "path" PORT "port" PRIVILEGES "privileges"
%token QUEUE "queue" RATE "rate" REFUSE "refuse" REQUESTS "requests" RESPOND "respond" RESTART "restart"
%token SIGNATURES "signatures" SOCKET "socket" STRICT "strict" SYSLOG "syslog" THREADS "threads" TICKETS "tickets" TLS "tls" TO "to"
%token TYPE "type" USER "user" WATCHDOG "watchdog" WHILE "while" WORKERS "workers" WRITE_TIMEOUT "write-timeout"

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
|	setting
|	"privileges" privileges		{ conf_set_privileges(p, $2.token, &@1); }
|	"drain" WORD			{ conf_set_drain(p, &$2, &@1, &@2); }
|	"faults" "enabled"		{ conf_set_faults(p, &@1); }
|	"control" control		{ conf_set_control(p, &$2, &@1, &@2); }
|	"log" "to" sink
|	"log" "rate" rate		{ conf_log_rate(p, &$3, &@1, &@3); }
|	port port_items "}"		{ conf_port_close(p); }
;

privileges: "strict" | "lenient" ;

control: STRING | "off" ;

rate: WORD | "off" ;

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
	"user" STRING			{ conf_set_account(p, T_USER, &$2, &@1, &@2); }
|	"group" STRING			{ conf_set_account(p, T_GROUP, &$2, &@1, &@2); }
|	"key" "user" STRING		{ conf_set_account(p, T_KEY, &$3, &@1, &@3); }
|	"chroot" chroot			{ conf_set_chroot(p, &$2, &@1, &@2); }
|	"workers" WORD			{ conf_set_workers(p, &$2, &@1, &@2); }
|	"keyholders" keyholders		{ conf_set_keyholders(p, &$2, &@1, &@2); }
|	"access" "log" access		{ conf_set_access(p, $3.token, &@1); }
|	"watchdog" watchdog		{ conf_set_watchdog(p, &$2, &@1, &@2); }
|	"tickets" "lifetime" WORD	{ conf_set_tickets(p, &$3, &@1, &@3); }
|	"tickets" "off"			{ conf_set_tickets(p, &$2, &@1, &@2); }
|	restart restart_items "}"	{ conf_block_close(p); }
|	limits limits_items "}"		{ conf_block_close(p); }
|	tls tls_items "}"		{ conf_tls_close(p); }
|	"tls" "development"		{ conf_tls_development(p, &@1); }
;

chroot: STRING | "off" ;

keyholders: WORD | "auto" ;

watchdog: WORD | "off" ;

access: "on" | "off" | "errors" ;

restart:
	"restart" "{"			{ conf_block_open(p, CONF_BLOCK_RESTART, T_RESTART, &@1); }
;

restart_items:
	%empty
|	restart_items restart_item
;

restart_item:
	";"
|	mistake
|	include restart_items include_end
|	"backoff" WORD "to" WORD	{ conf_set_backoff(p, &$2, &$4, &@1, &@2, &@4); }
|	"park" "after" WORD "in" WORD	{ conf_set_park(p, &$3, &$5, &@1, &@3, &@5); }
|	"while" "parked" parked		{ conf_set_while_parked(p, $3.token, &@1); }
;

parked: "refuse" | "queue" ;

limits:
	"limits" "{"			{ conf_block_open(p, CONF_BLOCK_LIMITS, T_LIMITS, &@1); }
;

limits_items:
	%empty
|	limits_items limits_item
;

limits_item:
	";"
|	mistake
|	include limits_items include_end
|	limit WORD			{ conf_set_limit(p, $1.token, &$2, &@1, &@2); }
;

limit:
	"connections" | "requests" | "head" | "body" | "idle" | "head-timeout"
|	"handshake-timeout" | "body-timeout" | "write-timeout" | "memory" | "core" | "signatures"
;

tls:
	"tls" "{"			{ conf_block_open(p, CONF_BLOCK_TLS, T_TLS, &@1); }
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
;

port:
	"port" WORD "{"			{ conf_port_open(p, &$2, &@1, &@2); }
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
|	"threads" WORD			{ conf_set_threads(p, &$2, &@1, &@2); }
|	location location_items "}"	{ conf_location_close(p); }
|	handler
;

location:
	"location" STRING "{"		{ conf_location_open(p, &$2, &@1, &@2); }
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
|	"fault" "control"		{ conf_handler_fault_control(p, &@1); }
|	fault
;

/* fault/fault.h has the catalogue of kinds, names and values. Some of them are words of the language
 * as well: tests/unit/test_conf.c tries all. */
fault:
	"fault" fault_kind		{ conf_fault(p, &$2, &@1, &@2); }
|	fault fault_name fault_value	{ conf_fault_parameter(p, &$2, &$3, &@2); }
;

fault_kind: WORD | "certificate" ;

fault_name: WORD | "after" | "rate" ;

fault_value: WORD | STRING | "after" | "header" | "socket" ;

handler:
	"echo"				{ conf_handler_echo(p, &@1); }
|	respond
|	methods
;

methods:
	"methods" "any"			{ conf_methods_any(p, &@1); }
|	methods_list
;

methods_list:
	"methods" STRING		{ conf_methods_first(p, &$2, &@1, &@2); }
|	methods_list STRING		{ conf_methods_add(p, &$2, &@2); }
;

respond:
	status
|	status STRING			{ conf_respond_body(p, &$2, &@2); }
|	respond "type" STRING		{ conf_respond_type(p, &$3, &@2, &@3); }
|	respond "header" STRING STRING	{ conf_respond_header(p, &$3, &$4, &@3, &@4); }
;

status:
	"respond" WORD			{ conf_handler_respond(p, &$2, &@1, &@2); }
;

/* The text of the included file comes next, so the parser must not have read ahead. It does not
 * where only one action is possible. */
include:
	"include" STRING		{ conf_include(p, &$2, &@1, &@2); }
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
