// The periods of the talk, as its author typed them, for the WordPress of the shared traces: kernels of today stat
// by newfstatat, and the theme is another.

const sameWorker = "$evt.pid == $parent.$begin.$evt.pid";
const script =
  '$evt.$name == "syscall_entry_newfstatat" && $evt.filename == "/usr/share/wordpress/index.php" && $evt.flag == 0';
const connected = '$evt.$name == "syscall_entry_connect" && $evt.dport == 3306';
const themed =
  '$evt.$name == "syscall_entry_access" && $evt.filename == "/var/lib/wordpress/wp-content/themes/twentytwentyone/template-parts/content/content-single.php"';

export const REQUEST =
  'request : $evt.$name == "syscall_exit_accept4" && $evt.procname == "apache2" : $evt.pid == $begin.$evt.pid && $evt.$name == "syscall_entry_close" && $evt.fd == $begin.$evt.ret';

export const PHASES = [
  `url_rewrite(request) : ${sameWorker} && $evt.$name == "syscall_exit_accept4" && $evt.procname == "apache2" : ${sameWorker} && ${script}`,
  `before_db_connect(request) : ${sameWorker} && ${script} : $evt.pid == $begin.$evt.pid && ${connected}`,
  `db_queries(request) : ${sameWorker} && ${connected} : $evt.pid == $begin.$evt.pid && ${themed}`,
  `rendering(request) : ${sameWorker} && ${themed} : $evt.pid == $begin.$evt.pid && $evt.$name == "syscall_entry_writev" && $evt.fd == $parent.$begin.$evt.ret`,
];

export const CAPTURES = "request : worker_pid = $evt.pid, client_skt_fd = $evt.ret";

/** The options of a command line. */
export function wordpress(): string[] {
  return [...[REQUEST, ...PHASES].flatMap((period) => ["--period", period]), "--period-captures", CAPTURES];
}
