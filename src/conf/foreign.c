/*
 * Text in the manner of other programs: the words of other servers, the quotes of word processors,
 * the units that people write. Runs in the master and in every child. Must never accept any of it:
 * it only finds the right words for the message.
 */
#include <string.h>
#include <strings.h>

#include "parser.h"

/* --- quotes ----------------------------------------------------------------------------------- */

/* A quote of other programs, and the quote that ends it; NULL: the same one. In UTF-8. */
static const struct quote {
	const char *open;
	const char *close[2];
} quotes[] = {
    {"'", {"'", NULL}},
    {"`", {"`", "'"}},
    {"\xe2\x80\x9c", {"\xe2\x80\x9d", "\xe2\x80\x9c"}}, /* 66 ... 99 */
    {"\xe2\x80\x9d", {"\xe2\x80\x9d", NULL}},           /* 99 ... 99 */
    {"\xe2\x80\x9e", {"\xe2\x80\x9c", "\xe2\x80\x9d"}}, /* low 99 ... 66 */
    {"\xe2\x80\x98", {"\xe2\x80\x99", NULL}},           /* the same as single ones */
    {"\xe2\x80\x99", {"\xe2\x80\x99", NULL}},
    {"\xe2\x80\x9a", {"\xe2\x80\x98", "\xe2\x80\x99"}},
    {"\xc2\xab", {"\xc2\xbb", NULL}}, /* double and single angles, both ways round */
    {"\xc2\xbb", {"\xc2\xab", "\xc2\xbb"}},
    {"\xe2\x80\xb9", {"\xe2\x80\xba", NULL}},
    {"\xe2\x80\xba", {"\xe2\x80\xb9", "\xe2\x80\xba"}},
    {"\xe2\x80\xb3", {"\xe2\x80\xb3", NULL}}, /* double prime */
    {"\xef\xbc\x82", {"\xef\xbc\x82", NULL}}, /* fullwidth */
};

static bool begins_with(const char *at, const char *end, const char *what)
{
	const size_t len = what != NULL ? strlen(what) : 0;
	return len > 0 && (size_t)(end - at) >= len && memcmp(at, what, len) == 0;
}

static bool closes(const struct quote *q, const char *at, const char *end, size_t *ret_len)
{
	for (unsigned i = 0; i < 2; i++)
		if (begins_with(at, end, q->close[i])) {
			*ret_len = strlen(q->close[i]);
			return true;
		}
	*ret_len = 1;
	return q->open[1] != '\0' && *at == '"'; /* a curly quote that a plain one ends */
}

/* If the end is not on this line, the text ends before the next blank or the like. */
bool conf_foreign_quote(const char *at, const char *end, struct conf_quoted *ret)
{
	for (size_t i = 0; i < CONF_COUNT(quotes); i++) {
		const struct quote *q = &quotes[i];
		if (!begins_with(at, end, q->open))
			continue;
		ret->open = strlen(q->open);
		for (const char *c = at + ret->open; c < end && *c != '\n'; c++) {
			if (closes(q, c, end, &ret->close)) {
				ret->len = (size_t)(c - at) - ret->open;
				return true;
			}
			if (*c == '\\' && end - c > 1 && c[1] != '\n')
				c++;
		}
		ret->close = 0;
		ret->len = 0;
		for (const char *c = at + ret->open;
		     c < end && strchr(" \t\r\n;{}\"#", *c) == NULL && *c != '\0'; c++)
			ret->len++;
		return true;
	}
	return false;
}

const char *conf_foreign_close(const char *begin, const char *end, size_t *ret_len)
{
	for (const char *c = begin; c < end; c++)
		for (size_t i = 2; i < CONF_COUNT(quotes); i++)
			if (begins_with(c, end, quotes[i].open)) {
				*ret_len = strlen(quotes[i].open);
				return c;
			}
	return NULL;
}

/* --- units ------------------------------------------------------------------------------------ */

static const struct {
	const char *elsewhere, *here;
} units[] = {
    {"ms", "ms"},  {"s", "s"},      {"m", "m"},       {"h", "h"},       {"d", "d"},
    {"K", "K"},    {"M", "M"},      {"G", "G"},       {"msec", "ms"},   {"millis", "ms"},
    {"sec", "s"},  {"secs", "s"},   {"second", "s"},  {"seconds", "s"}, {"min", "m"},
    {"mins", "m"}, {"minute", "m"}, {"minutes", "m"}, {"hr", "h"},      {"hrs", "h"},
    {"hour", "h"}, {"hours", "h"},  {"day", "d"},     {"days", "d"},    {"k", "K"},
    {"kb", "K"},   {"KB", "K"},     {"kB", "K"},      {"KiB", "K"},     {"Ki", "K"},
    {"mb", "M"},   {"MB", "M"},     {"MiB", "M"},     {"Mi", "M"},      {"g", "G"},
    {"gb", "G"},   {"GB", "G"},     {"GiB", "G"},     {"Gi", "G"},      {"r/s", "/s"},
    {"r/m", "/m"},
};

const char *conf_foreign_unit(const char *word, size_t len)
{
	for (size_t i = 0; i < CONF_COUNT(units); i++)
		if (strlen(units[i].elsewhere) == len && memcmp(units[i].elsewhere, word, len) == 0)
			return units[i].here;
	return NULL;
}

bool conf_is_blank_unit(const struct conf_value *name)
{
	return strcmp(name->data, "min") != 0 && conf_foreign_unit(name->data, name->len) != NULL;
}

/* --- variables -------------------------------------------------------------------------------- */

/* The complete names, and the beginnings of others; of nginx, Caddy, Apache and HAProxy. */
static const char *const variables[] = {
    "args",           "body_bytes_sent",
    "document_root",  "document_uri",
    "host",           "hostname",
    "http_host",      "is_args",
    "path",           "pid",
    "query",          "query_string",
    "remote",         "remote_addr",
    "remote_host",    "remote_ip",
    "remote_port",    "remote_user",
    "request",        "request_body",
    "request_id",     "request_method",
    "request_time",   "request_uri",
    "scheme",         "server_addr",
    "server_name",    "server_port",
    "status",         "time_iso8601",
    "time_local",     "uri",
    "HTTP_HOST",      "REQUEST_URI",
    "QUERY_STRING",   "SERVER_NAME",
    "REMOTE_ADDR",    "REQUEST_SCHEME",
    "REQUEST_METHOD", "HTTPS",
};
static const char *const variable_beginnings[] = {"http_", "arg_", "cookie_", "sent_http_", "ssl_",
						  "http.", "env.", "HTTP_",   "SSL_",       "ENV:"};

static bool in_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == ':';
}

static bool is_variable(const char *name, size_t len)
{
	for (size_t i = 0; i < CONF_COUNT(variables); i++)
		if (strlen(variables[i]) == len && memcmp(variables[i], name, len) == 0)
			return true;
	for (size_t i = 0; i < CONF_COUNT(variable_beginnings); i++)
		if (begins_with(name, name + len, variable_beginnings[i]) &&
		    strlen(variable_beginnings[i]) < len)
			return true;
	return false;
}

/* One that begins at this byte: $name, ${name}, %{name}; {name} in a header alone, since bodies are
 * full of braces. Its length, or 0. */
static size_t variable_at(const char *at, const char *end, bool header)
{
	const char *name = at + 1;
	const bool sign = *at == '$' || *at == '%';
	const bool brace = sign ? name < end && *name == '{' : *at == '{';
	if ((!sign && (!brace || !header)) || (*at == '%' && !brace))
		return 0;
	if (sign && brace)
		name++;
	const char *c = name;
	while (c < end && in_name(*c) && (brace || (*c != '.' && *c != ':')))
		c++;
	if (c == name || (brace && (c == end || *c != '}')))
		return 0;
	const bool any = header && *at == '$' && !(*name >= '0' && *name <= '9');
	return any || is_variable(name, (size_t)(c - name)) ? (size_t)(c - at) + brace : 0;
}

/* A body with a program has variables of its own. */
static bool is_program(const char *data, size_t len)
{
	static const char element[] = "<script";
	if (begins_with(data, data + len, "#!"))
		return true;
	for (size_t i = 0; i + strlen(element) <= len; i++)
		if (data[i] == element[0] && strncasecmp(data + i, element, strlen(element)) == 0)
			return true;
	return false;
}

const char *conf_foreign_variable(const char *data, size_t len, bool header, size_t *ret_len)
{
	if (!header && is_program(data, len))
		return NULL;
	for (const char *at = data; at < data + len; at++) {
		*ret_len = variable_at(at, data + len, header);
		if (*ret_len > 0)
			return at;
	}
	return NULL;
}

/* --- words ------------------------------------------------------------------------------------ */

#define FILES    "write `files \"/srv/www\"` in a location"
#define INDEX    "write `files \"/srv/www\" { index \"index.html\" }`"
#define LISTING  "write `files \"/srv/www\" { listing on }`"
#define FALLBACK "write `files \"/srv/www\" { fallback \"/index.html\" }`"
#define ALIAS    "write `location \"/path\" { files \"/srv/folder\" }`"
#define LINKS    "write `files \"/srv/www\" { symlinks beneath }`, or `symlinks none`"
#define EXPIRES  "write `files \"/srv/www\" { cache \"max-age=3600\" }`"
#define MIME     "write `type \"text/html\" \"html\"` in the block of `files`, or `respond ... type`"
#define CHARSET  "write `charset \"utf-8\"` in the block of `files`"
#define COMPRESS "write `compress gzip zstd br { least 1K types \"text/*\" }`"
#define PACKED                                                                                  \
	"`precompressed br gzip` in the block of `files` sends page.html.br and the like; for " \
	"what has no such file write `compress br gzip`"
#define KEPT "it keeps often used files open itself, as `keep on` in the block of `files` says"
#define PASS "write `proxy to \"http://127.0.0.1:9000\"` in a location"
#define UPSTREAM                                                                              \
	"write `upstream \"api\" { to \"http://127.0.0.1:9000\" }` in a port, and `proxy to " \
	"\"api\"` in a location"
#define BALANCE                                                                                   \
	"write `balance least-connections`, `round-robin`, `hash client` or `hash header \"X\"` " \
	"in an `upstream`"
#define CHECK    "write `check \"/health\" every 5s expect 200` in an `upstream`"
#define UP_FAIL  "write `fail after 3 pause 10s` in an `upstream`"
#define UP_RETRY "write `retry \"GET\" \"HEAD\" budget 20%` in an `upstream`"
#define UP_KEEP  "write `keep 32 for 60s` in an `upstream`"
#define UP_CONNS "write `connections 200` and `queue 100 for 5s` in an `upstream`"
#define UP_TIMES                                                                              \
	"write `timeouts { connect 2s; head 30s; between 60s }` in an `upstream`, or in the " \
	"block of `proxy to`"
#define UP_VERIFY                                                                             \
	"write `verify authority \"ca.pem\" name \"a.example\"` in an `upstream`, or in the " \
	"block of `proxy to`"
#define UP_CERT     "write `certificate \"cert.pem\" key \"key.pem\"` in an `upstream`"
#define UP_TLS      "write `proxy to \"https://a.example\"`"
#define UP_BUFFER   "write `proxy to ... { buffer response 256K }`; no body is kept as a whole"
#define UP_VERSION  "it speaks HTTP/1.1 to upstreams and keeps connections; leave the statement out"
#define UP_LOCATION "a Location with the upstream's own address or path is put right by itself"
#define UP_HOST     "write `proxy to ... { host keep }`, which is the default, or `host upstream`"
#define UP_VIA      "write `proxy to ... { via off }`"
#define UP_PATH     "write `path replace \"/old\" \"/new\"` or `path strip \"/old\"` beside `proxy to`"
#define UP_HIDE     "write `header remove \"Name\" always`"
#define UP_HEADER                                                                              \
	"write `request header set \"Name\" \"value\"`; Host is an option of `proxy to`, and " \
	"X-Forwarded-For needs none"
#define FORWARDED                                                                               \
	"upstreams get Forwarded and X-Forwarded-For by themselves; `proxy to ... { forwarded " \
	"off }` leaves them out"
#define TRUST      "write `trust 10.0.0.0/8` with the addresses of your proxies"
#define RESOLVER   "it asks the system's name servers for the names of upstreams; leave it out"
#define OPTION     "`option httpchk` is `check \"/health\"` in an `upstream`; leave others out"
#define NO_CGI     "upstreams speak HTTP; write `proxy to` a server between that speaks FastCGI"
#define NO_GRPC    "upstreams are asked with HTTP/1.1, which gRPC does not speak"
#define NO_STREAM  "it passes requests on, and no connections"
#define NO_FORWARD "it passes requests on to its own upstreams alone; leave the statement out"
#define NO_ASKING  "it asks no other server about a request; `authenticate` takes passwords"
#define BALANCERS                                                                              \
	"write `proxy protocol from 10.0.0.0/8` with the addresses of the load balancers; it " \
	"reads no address from a header of HTTP"
#define NO_LANG "it runs no programs and has no scripts or conditions"
#define NO_REWRITE                                                                  \
	"it rewrites nothing; to redirect write `location \"/old\" { redirect 308 " \
	"\"/new${remainder}\" }`"
#define HOST         "write `host \"www.example.org\" { ... }` in a port"
#define DEFAULT_HOST "what stands in a port outside of its `host` blocks serves all other names"
#define VIRTUAL      "write `port 443 { host \"www.example.org\" { ... } }`"
#define CLIENTS      "write `allow 10.0.0.0/8` and `deny *`; the first one that has the client counts"
#define AUTH         "write `authenticate basic \"staff\" file \"staff.htpasswd\"`"
#define NO_HTTP      "it speaks HTTP/1.1 and nothing else"
#define PORT         "a port is written `port 443 { ... }`"
#define CERT         "write `tls { certificate \"cert.pem\" key \"key.pem\" }`"
#define TLS_OFF      CERT ", or `tls off` for plain HTTP"
#define VERSIONS     "write `tls { versions 1.2 1.3 }` or `tls { profile modern }`"
#define CIPHERS      "write `tls { profile intermediate }`, or the names of suites after `ciphers`"
#define GROUPS       "write `tls { groups x25519 secp256r1 }`"
#define CLIENT_CERT  "write `tls { client certificate required authority \"ca.pem\" }`"
#define REVOKED      CLIENT_CERT ", with `revoked \"list.crl\"` at its end"
#define TLS_ALL      "write `tls { versions 1.3 groups x25519 ciphers AES-128-GCM }`"
#define TLS_ORDER    "its own order decides, with ECDHE; `tls { ciphers ... }` can change it"
#define RESPOND      "write `respond 200 \"text\"`, in a port or in a location"
#define RETURN                                                           \
	"write `respond 200 \"text\"`; to redirect write `redirect 308 " \
	"\"https://www.example.org/\"`"
#define ERROR    "write `error 404 { respond file \"404.html\" }`"
#define REDIRECT "write `redirect 308 \"https://${host}${target}\"`"
#define HEADER   "write `header set \"Name\" \"value\"`, with `always` for errors, too"
#define ACCESS   "write `access log on`, `off` or `errors`; `log to` says where records go"
#define LOG      "write `log to console`, `log to syslog` or `log to journal`"
#define USER     "write `user \"name\"`, and `group \"name\"` where it is not the user's own"
#define WORKERS  "write `workers 4`, at the top level or in a port"
#define THREADS  "write `workers 4`, or `threads 4` in a port of a build with threads"
#define CONNS    "write `limits { connections 10000 }`, for each port"
#define IDLE     "write `limits { idle 60s }`"
#define TIMEOUTS                                                                                 \
	"timeouts are in `limits { ... }`: idle, head-timeout, handshake-timeout, body-timeout " \
	"and write-timeout; and in an `upstream`"
#define BODY_MAX "write `limits { body 1M }`"
#define HEAD_MAX "write `limits { head 16K }`"
#define REQUESTS "write `limits { requests 10000 }`"
#define METHODS  "write `methods \"GET\" \"POST\"` in a location"
#define TICKETS  "write `tickets lifetime 6h` or `tickets off`"
#define CONTROL  "write `control \"file\"`; bulkheadctl shows the state of every port"
#define INCLUDE  "write `include \"conf.d/*.conf\"`"
#define DEFINE   "write `define NAME \"value\"` at the top level, and `${NAME}` for it"
#define ENV      "write `${env:NAME}` for a value of the environment"
#define BLOCK    "write `block NAME { ... }` at the top level, and `use NAME` in its places"
#define IMPORT \
	"write `include \"file.conf\"`; or `block NAME { ... }`, and `use NAME` in its places"
#define DEFAULTS "what stands at the top level is for all ports"
#define NO_CACHE "it caches nothing"
#define CLIENT_REQUESTS                                                                    \
	"write `limits { requests-per-client 50/s burst 100 }`, at the top level or in a " \
	"port"
#define CLIENT_CONNS "write `limits { connections-per-client 100 }`, at the top level or in a port"
#define PACED        "write `rate 1M/s`, at the top level, in a port or in a location"
#define NOTHING      "it does not need that; leave the statement out"
#define LOCATION     "write `location \"/path\" { ... }` in a port"
#define DAEMON       "use the option `bulkhead -D`"
#define PID          "use the option `bulkhead -P FILE`"
#define DRAIN        "write `drain 10s`"
#define CHROOT       "write `chroot \"/empty/directory\"`"
#define CORE         "write `limits { core 1G }`"
#define OPEN         "ports, addresses and limits make this number; ulimit(1) raises it"

/* Words of nginx, Caddy, HAProxy, lighttpd and Apache; compared without regard to case, in the
 * order of strcasecmp(3). Words that this language has, too, are not listed. */
static const struct {
	const char *word, *answer;
} words[] = {
    {"$HTTP[", HOST},
    {"$SERVER[", PORT},
    {"<Directory", FILES},
    {"<Files", FILES},
    {"<If", NO_LANG},
    {"<IfDefine", NO_LANG},
    {"<IfModule", NO_LANG},
    {"<Limit", METHODS},
    {"<LimitExcept", METHODS},
    {"<Location", LOCATION},
    {"<LocationMatch", LOCATION},
    {"<Macro", BLOCK},
    {"<Proxy", UPSTREAM},
    {"<VirtualHost", VIRTUAL},
    {"abort", RESPOND},
    {"absolute_redirect", NOTHING},
    {"accept-proxy", BALANCERS},
    {"accept_mutex", NOTHING},
    {"access_log", ACCESS},
    {"accesslog.filename", ACCESS},
    {"acl", NO_LANG},
    {"acme_ca", CERT},
    {"add_header", HEADER},
    {"AddDefaultCharset", CHARSET},
    {"AddEncoding", PACKED},
    {"AddHandler", NO_LANG},
    {"AddOutputFilterByType", COMPRESS},
    {"AddType", MIME},
    {"admin", CONTROL},
    {"aio", THREADS},
    {"alias", ALIAS},
    {"alias.url", ALIAS},
    {"AliasMatch", ALIAS},
    {"AllowOverride", NOTHING},
    {"alpn", NO_HTTP},
    {"auth.backend", AUTH},
    {"auth.require", AUTH},
    {"auth_basic", AUTH},
    {"auth_basic_user_file", AUTH},
    {"AuthName", AUTH},
    {"AuthType", AUTH},
    {"AuthUserFile", AUTH},
    {"auto_https", TLS_OFF},
    {"autoindex", LISTING},
    {"autoindex_exact_size", LISTING},
    {"autoindex_format", LISTING},
    {"backend", UPSTREAM},
    {"balance", BALANCE},
    {"BalancerMember", UPSTREAM},
    {"basic_auth", AUTH},
    {"basicauth", AUTH},
    {"bind", PORT},
    {"brotli", COMPRESS},
    {"brotli_comp_level", COMPRESS},
    {"brotli_min_length", COMPRESS},
    {"brotli_static", PACKED},
    {"brotli_types", COMPRESS},
    {"browse", LISTING},
    {"ca-base", CERT},
    {"CacheEnable", NO_CACHE},
    {"cgi.assign", NO_LANG},
    {"chrootdir", USER},
    {"client_auth", CLIENT_CERT},
    {"client_body_buffer_size", NOTHING},
    {"client_body_timeout", TIMEOUTS},
    {"client_header_buffer_size", HEAD_MAX},
    {"client_header_timeout", TIMEOUTS},
    {"client_max_body_size", BODY_MAX},
    {"compress.filetype", COMPRESS},
    {"compression", COMPRESS},
    {"connection.kbytes-per-second", PACED},
    {"cookie", BALANCE},
    {"CoreDumpDirectory", CORE},
    {"crt", CERT},
    {"crt-base", CERT},
    {"curves", GROUPS},
    {"CustomLog", ACCESS},
    {"daemon", DAEMON},
    {"default-server", UPSTREAM},
    {"default_backend", UPSTREAM},
    {"default_server", DEFAULT_HOST},
    {"default_type", MIME},
    {"defaults", DEFAULTS},
    {"DefaultType", MIME},
    {"deflate.mimetypes", COMPRESS},
    {"DeflateCompressionLevel", COMPRESS},
    {"description", NOTHING},
    {"dial_timeout", UP_TIMES},
    {"dir-listing.activate", LISTING},
    {"directory", FILES},
    {"DirectoryIndex", INDEX},
    {"disable_symlinks", LINKS},
    {"DocumentRoot", FILES},
    {"DOSPageCount", CLIENT_REQUESTS},
    {"DOSSiteCount", CLIENT_REQUESTS},
    {"email", CERT},
    {"EnableSendfile", NOTHING},
    {"encode", COMPRESS},
    {"env", ENV},
    {"error_log", LOG},
    {"error_page", ERROR},
    {"ErrorDocument", ERROR},
    {"errorfile", ERROR},
    {"ErrorLog", LOG},
    {"etag", NOTHING},
    {"evasive.max-conns-per-ip", CLIENT_CONNS},
    {"events", NOTHING},
    {"expires", EXPIRES},
    {"ExpiresActive", EXPIRES},
    {"ExpiresByType", EXPIRES},
    {"extforward.forwarder", BALANCERS},
    {"extforward.hap-PROXY", BALANCERS},
    {"extforward.headers", BALANCERS},
    {"fail_duration", UP_FAIL},
    {"fail_timeout", UP_FAIL},
    {"FallbackResource", FALLBACK},
    {"fastcgi.server", NO_CGI},
    {"fastcgi_cache", NO_CACHE},
    {"fastcgi_index", NO_CGI},
    {"fastcgi_param", NO_CGI},
    {"fastcgi_pass", NO_CGI},
    {"file_server", FILES},
    {"FileETag", NOTHING},
    {"flush_interval", UP_BUFFER},
    {"forward_auth", NO_ASKING},
    {"forwardfor", FORWARDED},
    {"frontend", PORT},
    {"fs", FILES},
    {"geo", NO_LANG},
    {"gid", USER},
    {"global", NOTHING},
    {"grace_period", DRAIN},
    {"GracefulShutdownTimeout", DRAIN},
    {"groupname", USER},
    {"grpc_pass", NO_GRPC},
    {"gzip", COMPRESS},
    {"gzip_comp_level", COMPRESS},
    {"gzip_min_length", COMPRESS},
    {"gzip_proxied", COMPRESS},
    {"gzip_static", PACKED},
    {"gzip_types", COMPRESS},
    {"gzip_vary", COMPRESS},
    {"handle", LOCATION},
    {"handle_errors", ERROR},
    {"handle_path", NO_REWRITE},
    {"hard-stop-after", DRAIN},
    {"header_down", HEADER},
    {"header_up", UP_HEADER},
    {"health_interval", CHECK},
    {"health_status", CHECK},
    {"health_timeout", CHECK},
    {"health_uri", CHECK},
    {"hide", NOTHING},
    {"HostnameLookups", NOTHING},
    {"http", PORT},
    {"http-check", CHECK},
    {"http-request", RESPOND},
    {"http-response", HEADER},
    {"http-reuse", UP_KEEP},
    {"http2", NO_HTTP},
    {"http2_max_concurrent_streams", NO_HTTP},
    {"http3", NO_HTTP},
    {"http_port", PORT},
    {"httpchk", CHECK},
    {"https_port", PORT},
    {"idle_timeout", IDLE},
    {"if", NO_LANG},
    {"IfDefine", NO_LANG},
    {"IfModule", NO_LANG},
    {"import", IMPORT},
    {"include_shell", INCLUDE},
    {"IncludeOptional", INCLUDE},
    {"index-file.names", INDEX},
    {"internal", CLIENTS},
    {"invoke", NO_LANG},
    {"ip_hash", BALANCE},
    {"KeepAlive", IDLE},
    {"keepalive_requests", REQUESTS},
    {"keepalive_timeout", IDLE},
    {"KeepAliveTimeout", IDLE},
    {"large_client_header_buffers", HEAD_MAX},
    {"lb_policy", BALANCE},
    {"lb_retries", UP_RETRY},
    {"lb_try_duration", UP_RETRY},
    {"least_conn", BALANCE},
    {"limit_conn", CLIENT_CONNS},
    {"limit_conn_log_level", CLIENT_CONNS},
    {"limit_conn_status", CLIENT_CONNS},
    {"limit_conn_zone", CLIENT_CONNS},
    {"limit_except", METHODS},
    {"limit_rate", PACED},
    {"limit_rate_after", PACED},
    {"limit_req", CLIENT_REQUESTS},
    {"limit_req_log_level", CLIENT_REQUESTS},
    {"limit_req_status", CLIENT_REQUESTS},
    {"limit_req_zone", CLIENT_REQUESTS},
    {"LimitRequestBody", BODY_MAX},
    {"LimitRequestFields", HEAD_MAX},
    {"LimitRequestFieldSize", HEAD_MAX},
    {"LimitRequestLine", HEAD_MAX},
    {"lingering_close", NOTHING},
    {"lingering_time", NOTHING},
    {"lingering_timeout", NOTHING},
    {"ListenBacklog", CONNS},
    {"listener_wrappers", BALANCERS},
    {"load_module", NOTHING},
    {"LoadModule", NOTHING},
    {"local_certs", CERT},
    {"log_format", ACCESS},
    {"LogFormat", ACCESS},
    {"LogLevel", LOG},
    {"lua", NO_LANG},
    {"map", NO_LANG},
    {"master_process", NOTHING},
    {"max_conns", UP_CONNS},
    {"max_fails", UP_FAIL},
    {"max_header_size", HEAD_MAX},
    {"max_size", BODY_MAX},
    {"MaxClients", CONNS},
    {"maxconn", CONNS},
    {"MaxConnectionsPerChild", REQUESTS},
    {"MaxKeepAliveRequests", REQUESTS},
    {"MaxRequestsPerChild", REQUESTS},
    {"MaxRequestWorkers", CONNS},
    {"MaxSpareServers", WORKERS},
    {"method", METHODS},
    {"metrics", CONTROL},
    {"mime", MIME},
    {"mimetype.assign", MIME},
    {"MinSpareServers", WORKERS},
    {"mode", NO_HTTP},
    {"more_set_headers", HEADER},
    {"msie_padding", NOTHING},
    {"multi_accept", NOTHING},
    {"Mutex", NOTHING},
    {"NameVirtualHost", VIRTUAL},
    {"nbproc", WORKERS},
    {"nbthread", THREADS},
    {"on_demand_tls", CERT},
    {"open_file_cache", KEPT},
    {"option", OPTION},
    {"Options", LISTING},
    {"Order", CLIENTS},
    {"PassEnv", ENV},
    {"path_beg", LOCATION},
    {"perl", NO_LANG},
    {"php_fastcgi", NO_CGI},
    {"pid", PID},
    {"pidfile", PID},
    {"port_in_redirect", NOTHING},
    {"presetenv", ENV},
    {"protocols", VERSIONS},
    {"ProtocolsHonorOrder", NO_HTTP},
    {"proxy.balance", BALANCE},
    {"proxy.forwarded", FORWARDED},
    {"proxy.header", UP_PATH},
    {"proxy.replace-http-host", UP_HOST},
    {"proxy.server", PASS},
    {"proxy_buffer_size", UP_BUFFER},
    {"proxy_buffering", UP_BUFFER},
    {"proxy_buffers", UP_BUFFER},
    {"proxy_busy_buffers_size", UP_BUFFER},
    {"proxy_cache", NO_CACHE},
    {"proxy_cache_path", NO_CACHE},
    {"proxy_connect_timeout", UP_TIMES},
    {"proxy_hide_header", UP_HIDE},
    {"proxy_http_version", UP_VERSION},
    {"proxy_ignore_client_abort", NOTHING},
    {"proxy_max_temp_file_size", UP_BUFFER},
    {"proxy_next_upstream", UP_RETRY},
    {"proxy_next_upstream_timeout", UP_RETRY},
    {"proxy_next_upstream_tries", UP_RETRY},
    {"proxy_pass", PASS},
    {"proxy_pass_header", NOTHING},
    {"proxy_pass_request_body", NOTHING},
    {"proxy_pass_request_headers", NOTHING},
    {"proxy_protocol", BALANCERS},
    {"proxy_read_timeout", UP_TIMES},
    {"proxy_redirect", UP_LOCATION},
    {"proxy_request_buffering", UP_BUFFER},
    {"proxy_send_timeout", UP_TIMES},
    {"proxy_set_header", UP_HEADER},
    {"proxy_socket_keepalive", NOTHING},
    {"proxy_ssl_certificate", UP_CERT},
    {"proxy_ssl_certificate_key", UP_CERT},
    {"proxy_ssl_name", UP_VERIFY},
    {"proxy_ssl_server_name", UP_VERIFY},
    {"proxy_ssl_session_reuse", NOTHING},
    {"proxy_ssl_trusted_certificate", UP_VERIFY},
    {"proxy_ssl_verify", UP_VERIFY},
    {"proxy_ssl_verify_depth", UP_VERIFY},
    {"proxy_temp_path", UP_BUFFER},
    {"ProxyAddHeaders", FORWARDED},
    {"ProxyPass", PASS},
    {"ProxyPassReverse", UP_LOCATION},
    {"ProxyPreserveHost", UP_HOST},
    {"ProxyRequests", NO_FORWARD},
    {"ProxyTimeout", UP_TIMES},
    {"ProxyVia", UP_VIA},
    {"QS_SrvMaxConnPerIP", CLIENT_CONNS},
    {"quic", NO_HTTP},
    {"rate_limit", CLIENT_REQUESTS},
    {"read_body", TIMEOUTS},
    {"read_header", TIMEOUTS},
    {"read_timeout", TIMEOUTS},
    {"real_ip_header", BALANCERS},
    {"real_ip_recursive", BALANCERS},
    {"recursive_error_pages", NOTHING},
    {"redir", REDIRECT},
    {"RedirectMatch", REDIRECT},
    {"RedirectPermanent", REDIRECT},
    {"RemoteIPHeader", BALANCERS},
    {"RemoteIPInternalProxy", BALANCERS},
    {"RemoteIPProxyProtocol", BALANCERS},
    {"RemoteIPProxyProtocolExceptions", BALANCERS},
    {"RemoteIPTrustedProxy", BALANCERS},
    {"request_body", BODY_MAX},
    {"RequestHeader", UP_HEADER},
    {"RequestReadTimeout", TIMEOUTS},
    {"Require", CLIENTS},
    {"reset_timedout_connection", NOTHING},
    {"resetenv", ENV},
    {"resolver", RESOLVER},
    {"response_header_timeout", UP_TIMES},
    {"retries", UP_RETRY},
    {"return", RETURN},
    {"reverse_proxy", PASS},
    {"rewrite", NO_REWRITE},
    {"RewriteBase", NO_REWRITE},
    {"RewriteCond", NO_REWRITE},
    {"RewriteEngine", NO_REWRITE},
    {"RewriteRule", NO_REWRITE},
    {"rlimit_core", CORE},
    {"root", FILES},
    {"route", LOCATION},
    {"satisfy", NOTHING},
    {"scgi_pass", NO_CGI},
    {"ScriptAlias", NO_LANG},
    {"send_timeout", TIMEOUTS},
    {"sendfile", NOTHING},
    {"server", PORT},
    {"server-status", CONTROL},
    {"server-template", UPSTREAM},
    {"server.bind", PORT},
    {"server.chroot", CHROOT},
    {"server.dir-listing", LISTING},
    {"server.document-root", FILES},
    {"server.error-handler-404", ERROR},
    {"server.errorfile-prefix", ERROR},
    {"server.errorlog", LOG},
    {"server.errorlog-use-syslog", LOG},
    {"server.event-handler", NOTHING},
    {"server.feature-flags", NO_HTTP},
    {"server.follow-symlink", LINKS},
    {"server.graceful-shutdown-timeout", DRAIN},
    {"server.groupname", USER},
    {"server.indexfiles", INDEX},
    {"server.kbytes-per-second", PACED},
    {"server.max-connections", CONNS},
    {"server.max-fds", OPEN},
    {"server.max-keep-alive-idle", IDLE},
    {"server.max-keep-alive-requests", REQUESTS},
    {"server.max-read-idle", TIMEOUTS},
    {"server.max-request-field-size", HEAD_MAX},
    {"server.max-request-size", BODY_MAX},
    {"server.max-worker", WORKERS},
    {"server.max-write-idle", TIMEOUTS},
    {"server.modules", NOTHING},
    {"server.network-backend", NOTHING},
    {"server.pid-file", PID},
    {"server.port", PORT},
    {"server.protocol-http11", NO_HTTP},
    {"server.tag", NOTHING},
    {"server.username", USER},
    {"server_name", HOST},
    {"server_name_in_redirect", NOTHING},
    {"server_names_hash_bucket_size", NOTHING},
    {"server_names_hash_max_size", NOTHING},
    {"server_tokens", NOTHING},
    {"ServerAdmin", NOTHING},
    {"ServerAlias", HOST},
    {"ServerLimit", WORKERS},
    {"ServerName", HOST},
    {"ServerRoot", NOTHING},
    {"ServerSignature", NOTHING},
    {"ServerStatus", CONTROL},
    {"ServerTokens", NOTHING},
    {"session_tickets", TICKETS},
    {"set", DEFINE},
    {"set_real_ip_from", BALANCERS},
    {"SetEnv", ENV},
    {"setenv.add-response-header", HEADER},
    {"setenv.set-response-header", HEADER},
    {"SetEnvIf", NO_LANG},
    {"SetHandler", NO_LANG},
    {"SetOutputFilter", COMPRESS},
    {"shutdown_timeout", DRAIN},
    {"site", VIRTUAL},
    {"snippet", BLOCK},
    {"split_clients", NO_LANG},
    {"ssl", TLS_OFF},
    {"ssl-default-bind-ciphers", CIPHERS},
    {"ssl-default-bind-options", TLS_ALL},
    {"ssl.ca-file", CLIENT_CERT},
    {"ssl.cipher-list", CIPHERS},
    {"ssl.engine", CERT},
    {"ssl.openssl.ssl-conf-cmd", TLS_ALL},
    {"ssl.pemfile", CERT},
    {"ssl.privkey", CERT},
    {"ssl.verifyclient.activate", CLIENT_CERT},
    {"ssl.verifyclient.ca-file", CLIENT_CERT},
    {"ssl_certificate", CERT},
    {"ssl_certificate_key", CERT},
    {"ssl_ciphers", CIPHERS},
    {"ssl_client_certificate", CLIENT_CERT},
    {"ssl_conf_command", TLS_ALL},
    {"ssl_crl", REVOKED},
    {"ssl_dhparam", TLS_ORDER},
    {"ssl_ecdh_curve", GROUPS},
    {"ssl_handshake_timeout", TIMEOUTS},
    {"ssl_prefer_server_ciphers", TLS_ORDER},
    {"ssl_protocols", VERSIONS},
    {"ssl_session_cache", TICKETS},
    {"ssl_session_ticket_key", TICKETS},
    {"ssl_session_tickets", TICKETS},
    {"ssl_session_timeout", TICKETS},
    {"ssl_trusted_certificate", CERT},
    {"ssl_verify_client", CLIENT_CERT},
    {"ssl_verify_depth", CLIENT_CERT},
    {"SSLCACertificateFile", CLIENT_CERT},
    {"SSLCARevocationFile", REVOKED},
    {"SSLCertificateChainFile", CERT},
    {"SSLCertificateFile", CERT},
    {"SSLCertificateKeyFile", CERT},
    {"SSLCipherSuite", CIPHERS},
    {"SSLEngine", CERT},
    {"SSLHonorCipherOrder", TLS_ORDER},
    {"SSLProtocol", VERSIONS},
    {"SSLProxyCACertificateFile", UP_VERIFY},
    {"SSLProxyEngine", UP_TLS},
    {"SSLProxyMachineCertificateFile", UP_CERT},
    {"SSLProxyVerify", UP_VERIFY},
    {"SSLSessionCache", TICKETS},
    {"SSLSessionCacheTimeout", TICKETS},
    {"SSLSessionTickets", TICKETS},
    {"SSLVerifyClient", CLIENT_CERT},
    {"SSLVerifyDepth", CLIENT_CERT},
    {"StartServers", WORKERS},
    {"static-file.exclude-extensions", FILES},
    {"stats", CONTROL},
    {"stick-table", CLIENT_REQUESTS},
    {"stream", NO_STREAM},
    {"strict_sni_host", NOTHING},
    {"stub_status", CONTROL},
    {"SuexecUserGroup", USER},
    {"tcp_nodelay", NOTHING},
    {"tcp_nopush", NOTHING},
    {"templates", NO_LANG},
    {"thread_pool", THREADS},
    {"ThreadLimit", THREADS},
    {"ThreadsPerChild", THREADS},
    {"timeout", TIMEOUTS},
    {"tls_client_auth", UP_CERT},
    {"tls_insecure_skip_verify", UP_VERIFY},
    {"tls_server_name", UP_VERIFY},
    {"tls_trust_pool", UP_VERIFY},
    {"TransferLog", ACCESS},
    {"trusted_ca_cert_file", CLIENT_CERT},
    {"trusted_proxies", TRUST},
    {"try_files", FALLBACK},
    {"tune.bufsize", HEAD_MAX},
    {"tune.ssl.default-dh-param", TLS_ORDER},
    {"types_hash_max_size", NOTHING},
    {"TypesConfig", NOTHING},
    {"uid", USER},
    {"ulimit-n", OPEN},
    {"UnDefine", DEFINE},
    {"UndefMacro", BLOCK},
    {"underscores_in_headers", NOTHING},
    {"unsetenv", ENV},
    {"uri", NO_REWRITE},
    {"uri_strip_prefix", NO_REWRITE},
    {"url.access-deny", CLIENTS},
    {"url.redirect", REDIRECT},
    {"url.rewrite", NO_REWRITE},
    {"url.rewrite-once", NO_REWRITE},
    {"use_backend", UPSTREAM},
    {"UseCanonicalName", NOTHING},
    {"username", USER},
    {"uwsgi_param", NO_CGI},
    {"uwsgi_pass", NO_CGI},
    {"variables_hash_max_size", NOTHING},
    {"vars", NO_LANG},
    {"VirtualHost", VIRTUAL},
    {"worker_connections", CONNS},
    {"worker_cpu_affinity", NOTHING},
    {"worker_priority", NOTHING},
    {"worker_processes", WORKERS},
    {"worker_rlimit_core", CORE},
    {"worker_rlimit_nofile", OPEN},
    {"worker_shutdown_timeout", DRAIN},
    {"working_directory", NOTHING},
    {"write_timeout", TIMEOUTS},
};

const char *conf_foreign_word(const char *word, size_t len)
{
	size_t low = 0, high = CONF_COUNT(words);
	if (strlen(word) != len)
		return NULL;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		const int order = strcasecmp(word, words[middle].word);
		if (order == 0)
			return words[middle].answer;
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const char *conf_foreign_word_at(size_t index)
{
	return index < CONF_COUNT(words) ? words[index].word : NULL;
}

const char *conf_foreign_upstream_word(const char *word, size_t len)
{
	static const struct {
		const char *word, *answer;
	} here[] = {
	    {"server", "write `to \"http://127.0.0.1:9000\"`"},
	    {"url", "write `to \"http://127.0.0.1:9000\"`"},
	    {"timeout", "write `timeouts { connect 2s; head 30s; between 60s }`"},
	    {"keepalive", "write `keep 32 for 60s`"},
	    {"keepalive_timeout", "write `keep 32 for 60s`"},
	    {"least_conn", "write `balance least-connections`"},
	    {"leastconn", "write `balance least-connections`"},
	    {"random", "write `balance round-robin` or `balance least-connections`"},
	    {"ip_hash", "write `balance hash client`"},
	    {"hash", "write `balance hash client` or `balance hash header \"Name\"`"},
	    {"zone", NOTHING},
	    {"maxconn", "write `connections 200`, and `queue 100 for 5s`"},
	    {"weight", "all endpoints are equal; `balance least-connections` spares slow ones"},
	};
	for (size_t i = 0; i < CONF_COUNT(here) && strlen(word) == len; i++)
		if (strcmp(here[i].word, word) == 0)
			return here[i].answer;
	return NULL;
}
