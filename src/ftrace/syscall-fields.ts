/**
 * Names, order and types that LTTng (lttng-modules 2.13) gives to the arguments of system calls, taken from the
 * metadata of its traces. Arguments that LTTng reads from the caller's memory (addresses of sockets, sets of
 * descriptors) are left out: tracefs has no more than their addresses.
 *
 * A line is a call and its arguments; types are i (signed), u (unsigned), x (hexadecimal) with bits, s (text).
 */
const TABLE = `
accept fd:i32 upeer_sockaddr:x64 upeer_addrlen:i32
accept4 fd:i32 upeer_sockaddr:x64 upeer_addrlen:i32 flags:x32
access filename:s mode:i32
acct name:s
add_key _type:s _description:u64 _payload:u64 plen:u64 ringid:i32
adjtimex txc_p:u64
alarm seconds:u32
bind fd:i32 umyaddr:u64 addrlen:i32
brk brk:u64
chdir filename:s
chmod filename:s mode:u16
chown filename:s user:u32 group:u32
chroot filename:s
clock_adjtime which_clock:i32 utx:u64
clock_getres which_clock:i32
clock_gettime which_clock:i32
clock_nanosleep which_clock:i32 flags:i32 rqtp:u64
clock_settime which_clock:i32 tp:u64
clone flags:x64 newsp:x64 parent_tid:x64 child_tid:x64
close fd:u32
connect fd:i32 uservaddr:x64 addrlen:i32
creat pathname:s mode:u16
delete_module name_user:s flags:u32
dup fildes:u32
dup2 oldfd:u32 newfd:u32
dup3 oldfd:u32 newfd:u32 flags:i32
epoll_create size:i32
epoll_create1 flags:i32
epoll_ctl epfd:i32 op_enum:i32 fd:i32
epoll_pwait epfd:i32 maxevents:i32 timeout:i32 sigmask:x64 sigsetsize:u64
epoll_wait epfd:i32 maxevents:i32 timeout:i32
eventfd count:u32
eventfd2 count:u32 flags:i32
execve filename:s argv:x64 envp:x64
exit error_code:i32
exit_group error_code:i32
faccessat dfd:i32 filename:s mode:i32
fadvise64 fd:i32 offset:i64 len:u64 advice:i32
fallocate fd:i32 mode:i32 offset:i64 len:i64
fanotify_init flags:u32 event_f_flags:u32
fanotify_mark fanotify_fd:i32 flags:u32 mask:u64 dfd:i32 pathname:s
fchdir fd:u32
fchmod fd:u32 mode:u16
fchmodat dfd:i32 filename:s mode:u16
fchown fd:u32 user:u32 group:u32
fchownat dfd:i32 filename:s user:u32 group:u32 flag:i32
fcntl fd:u32 cmd:u32 arg:u64
fdatasync fd:u32
fgetxattr fd:i32 name:s size:u64
finit_module fd:i32 uargs:u64 flags:i32
flistxattr fd:i32 size:u64
flock fd:u32 cmd:u32
fremovexattr fd:i32 name:s
fsetxattr fd:i32 name:s value:u64 size:u64 flags:i32
fstatfs fd:u32
fsync fd:u32
ftruncate fd:u32 length:u64
futex uaddr:u64 op:i32 val:u32 utime:u64 uaddr2:u64 val3:u32
futimesat dfd:i32 filename:s utimes:u64
get_mempolicy maxnode:u64 addr:u64 flags:u64
get_robust_list pid:i32
getcpu
getcwd size:u64
getdents fd:u32 count:u32
getdents64 fd:u32 count:u32
getegid
geteuid
getgid
getgroups gidsetsize:i32
getitimer which:i32
getpeername fd:i32 usockaddr_len:u64
getpgid pid:i32
getpgrp
getpid
getppid
getpriority which:i32 who:i32
getresgid
getresuid
getrlimit resource:u32
getrusage who:i32
getsid pid:i32
getsockname fd:i32 usockaddr_len:u64
getsockopt fd:i32 level:i32 optname:i32 optlen:u64
gettid
gettimeofday
getuid
getxattr pathname:s name:s size:u64
init_module umod:u64 len:u64 uargs:u64
inotify_add_watch fd:i32 pathname:s mask:u32
inotify_init
inotify_init1 flags:i32
inotify_rm_watch fd:i32 wd:i32
io_cancel ctx_id:u64 iocb:u64
io_destroy ctx:u64
io_getevents ctx_id:u64 min_nr:i64 nr:i64 timeout:u64
io_setup nr_events:u32 ctxp:u64
io_submit ctx_id:u64 nr:i64 iocbpp:u64
ioctl fd:u32 cmd:u32 arg:u64
ioprio_get which:i32 who:i32
ioprio_set which:i32 who:i32 ioprio:i32
kexec_load entry:u64 nr_segments:u64 segments:u64 flags:u64
keyctl option:i32 arg2:u64 arg3:u64 arg4:u64 arg5:u64
kill pid:i32 sig:i32
lchown filename:s user:u32 group:u32
lgetxattr pathname:s name:s size:u64
link oldname:s newname:s
linkat olddfd:i32 oldname:s newdfd:i32 newname:s flags:i32
listen fd:i32 backlog:i32
listxattr pathname:s size:u64
llistxattr pathname:s size:u64
lookup_dcookie cookie64:u64 len:u64
lremovexattr pathname:s name:s
lseek fd:u32 offset:i64 whence:u32
lsetxattr pathname:s name:s value:u64 size:u64 flags:i32
madvise start:u64 len_in:u64 behavior:i32
mbind start:u64 len:u64 mode:u64 nmask:u64 maxnode:u64 flags:u32
migrate_pages pid:i32 maxnode:u64 old_nodes:u64 new_nodes:u64
mincore start:u64 len:u64
mkdir pathname:s mode:u16
mkdirat dfd:i32 pathname:s mode:u16
mknod filename:s mode:u16 dev:u32
mknodat dfd:i32 filename:s mode:u16 dev:u32
mlock start:u64 len:u64
mlockall flags:i32
mmap addr:x64 len:u64 prot:i32 flags:i32 fd:i32 offset:i64
mount dev_name:s dir_name:s type:s flags:u64 data:u64
move_pages pid:i32 nr_pages:u64 pages:u64 nodes:u64 flags:i32
mprotect start:u64 len:u64 prot:u64
mq_getsetattr mqdes:i32 u_mqstat:u64
mq_notify mqdes:i32 u_notification:u64
mq_open u_name:s oflag:i32 mode:u16 u_attr:u64
mq_timedreceive mqdes:i32 msg_len:u64 u_abs_timeout:u64
mq_timedsend mqdes:i32 u_msg_ptr:u64 msg_len:u64 msg_prio:u32 u_abs_timeout:u64
mq_unlink u_name:s
mremap addr:u64 old_len:u64 new_len:u64 flags:u64 new_addr:u64
msgctl msqid:i32 cmd:i32 buf:u64
msgget key:i32 msgflg:i32
msgrcv msqid:i32 msgsz:u64 msgtyp:i64 msgflg:i32
msgsnd msqid:i32 msgp:u64 msgsz:u64 msgflg:i32
msync start:u64 len:u64 flags:i32
munlock start:u64 len:u64
munlockall
munmap addr:u64 len:u64
name_to_handle_at dfd:i32 name:s handle:u64 flag:i32
nanosleep rqtp:u64
newfstat fd:u32
newfstatat dfd:i32 filename:s flag:i32
newlstat filename:s
newstat filename:s
newuname
open filename:s flags:i32 mode:u16
open_by_handle_at mountdirfd:i32 handle:u64 flags:i32
openat dfd:i32 filename:s flags:i32 mode:u16
pause
perf_event_open attr_uptr:u64 pid:i32 cpu:i32 group_fd:i32 flags:u64
personality personality:u32
pipe
pipe2 flags:i32
pivot_root new_root:s put_old:s
poll timeout_msecs:i32 nfds:u32
ppoll tsp:u64 sigmask:u64 sigsetsize:u64 nfds:u32
prctl option:i32 arg2:u64 arg3:u64 arg4:u64 arg5:u64
pread64 fd:u32 count:u64 pos:i64
preadv fd:u64 vlen:u64 pos_l:u64 pos_h:u64
prlimit64 pid:i32 resource:u32 new_rlim:u64
process_vm_readv pid:i32 liovcnt:u64 rvec:u64 riovcnt:u64 flags:u64
process_vm_writev pid:i32 lvec:u64 liovcnt:u64 rvec:u64 riovcnt:u64 flags:u64
pselect6 n:i32 tvp:u64 sig:x64
ptrace request:i64 pid:i64 addr:u64 data:u64
pwrite64 fd:u32 buf:u64 count:u64 pos:i64
pwritev fd:u64 vec:u64 vlen:u64 pos_l:u64 pos_h:u64
quotactl cmd:u32 special:u64 id:u32 addr:u64
read fd:u32 count:u64
readahead fd:i32 offset:i64 count:u64
readlink path:s bufsiz:i32
readlinkat dfd:i32 pathname:s bufsiz:i32
readv fd:u64 vec:u64 vlen:u64
reboot magic1:i32 magic2:i32 cmd:u32 arg:u64
recvfrom fd:i32 size:u64 flags:u32 addr_len:u64
recvmmsg fd:i32 vlen:u32 flags:u32 timeout:u64
recvmsg fd:i32 msg:u64 flags:u32
remap_file_pages start:u64 size:u64 prot:u64 pgoff:u64 flags:u64
removexattr pathname:s name:s
rename oldname:s newname:s
renameat olddfd:i32 oldname:s newdfd:i32 newname:s
request_key _type:s _description:u64 _callout_info:u64 destringid:i32
restart_syscall
rmdir pathname:s
rt_sigaction sig:i32 act:u64 sigsetsize:u64
rt_sigpending sigsetsize:u64
rt_sigprocmask how:i32 nset:u64 sigsetsize:u64
rt_sigqueueinfo pid:i32 sig:i32 uinfo:u64
rt_sigsuspend unewset:u64 sigsetsize:u64
rt_sigtimedwait uts:u64 sigsetsize:u64
rt_tgsigqueueinfo tgid:i32 pid:i32 sig:i32 uinfo:u64
sched_get_priority_max policy:i32
sched_get_priority_min policy:i32
sched_getaffinity pid:i32 len:u32
sched_getparam pid:i32
sched_getscheduler pid:i32
sched_rr_get_interval pid:i32
sched_setaffinity pid:i32 len:u32 user_mask_ptr:u64
sched_setparam pid:i32 param:u64
sched_setscheduler pid:i32 policy:i32 param:u64
sched_yield
select n:i32 tvp:u64
semctl semid:i32 semnum:i32 cmd:i32 arg:u64
semget key:i32 nsems:i32 semflg:i32
semop semid:i32 tsops:u64 nsops:u32
semtimedop semid:i32 tsops:u64 nsops:u32 timeout:u64
sendfile64 out_fd:i32 in_fd:i32 offset:u64 count:u64
sendmmsg fd:i32 mmsg:u64 vlen:u32 flags:u32
sendmsg fd:i32 msg:u64 flags:u32
sendto fd:i32 buff:u64 len:u64 flags:u32 addr:u64 addr_len:i32
set_mempolicy mode:i32 nmask:u64 maxnode:u64
set_robust_list head:u64 len:u64
set_tid_address tidptr:u64
setdomainname name:s len:i32
setfsgid gid:u32
setfsuid uid:u32
setgid gid:u32
setgroups gidsetsize:i32 grouplist:u64
sethostname name:s len:i32
setitimer which:i32 value:u64
setns fd:i32 nstype:i32
setpgid pid:i32 pgid:i32
setpriority which:i32 who:i32 niceval:i32
setregid rgid:u32 egid:u32
setresgid rgid:u32 egid:u32 sgid:u32
setresuid ruid:u32 euid:u32 suid:u32
setreuid ruid:u32 euid:u32
setrlimit resource:u32 rlim:u64
setsid
setsockopt fd:i32 level:i32 optname:i32 optval:u64 optlen:i32
settimeofday tv:u64 tz:u64
setuid uid:u32
setxattr pathname:s name:s value:u64 size:u64 flags:i32
shmat shmid:i32 shmaddr:u64 shmflg:i32
shmctl shmid:i32 cmd:i32 buf:u64
shmdt shmaddr:u64
shmget key:i32 size:u64 shmflg:i32
shutdown fd:i32 how:i32
sigaltstack uss:u64 uoss:u64
signalfd ufd:i32 user_mask:u64 sizemask:u64
signalfd4 ufd:i32 user_mask:u64 sizemask:u64 flags:i32
socket family:i32 type:i32 protocol:i32
socketpair family:i32 type:i32 protocol:i32
splice fd_in:i32 off_in:u64 fd_out:i32 off_out:u64 len:u64 flags:u32
statfs pathname:s
swapoff specialfile:s
swapon specialfile:s swap_flags:i32
symlink oldname:s newname:s
symlinkat oldname:s newdfd:i32 newname:s
sync
sync_file_range fd:i32 offset:i64 nbytes:i64 flags:u32
syncfs fd:i32
sysfs option:i32 arg1:u64 arg2:u64
sysinfo
syslog type:i32 len:i32
tee fdin:i32 fdout:i32 len:u64 flags:u32
tgkill tgid:i32 pid:i32 sig:i32
time
timer_create which_clock:i32 timer_event_spec:u64
timer_delete timer_id:i32
timer_getoverrun timer_id:i32
timer_gettime timer_id:i32
timer_settime timer_id:i32 flags:i32 new_setting:u64
timerfd_create clockid:i32 flags:i32
timerfd_gettime ufd:i32
timerfd_settime ufd:i32 flags:i32 utmr:u64
times
tkill pid:i32 sig:i32
truncate path:s length:i64
umask mask:i32
umount name:s flags:i32
unlink pathname:s
unlinkat dfd:i32 pathname:s flag:i32
unshare unshare_flags:u64
ustat dev:u32
utime filename:s times:u64
utimensat dfd:i32 filename:s utimes:u64 flags:i32
utimes filename:s utimes:u64
vhangup
vmsplice fd:i32 iov:u64 nr_segs:u64 flags:u32
wait4 upid:i32 options:i32
waitid which:i32 upid:i32 options:i32
write fd:u32 buf:u64 count:u64
writev fd:u64 vec:u64 vlen:u64
`;

export interface SyscallArgument {
  readonly name: string;
  readonly type: string;
}

/** LTTng's name of an argument, and the kernel's, where they differ. */
const KERNEL_NAMES: Readonly<Record<string, readonly string[]>> = {
  "clone flags": ["clone_flags"],
  "clone parent_tid": ["parent_tidptr"],
  "clone child_tid": ["child_tidptr"],
  "epoll_ctl op_enum": ["op"],
  "mmap offset": ["off"],
  "pselect6 tvp": ["tsp"],
  "setns nstype": ["flags"],
  "vmsplice iov": ["uiov"],
};

const CALLS = new Map<string, readonly SyscallArgument[]>();
for (const line of TABLE.trim().split("\n")) {
  const [call, ...fields] = line.split(" ");
  CALLS.set(
    call!,
    fields.map((field) => {
      const [name, type] = field.split(":") as [string, string];
      return { name, type };
    }),
  );
}

/** Arguments of an entry as LTTng writes them; undefined for a call that it does not know. */
export function lttngArguments(call: string): readonly SyscallArgument[] | undefined {
  return CALLS.get(call);
}

/** Under which names the kernel may have an argument. */
export function kernelNames(call: string, argument: string): readonly string[] {
  return [argument, ...(KERNEL_NAMES[`${call} ${argument}`] ?? [])];
}
