//! What counts, and when it ends a guest.

use super::*;

#[test]
fn memory_counts_over_all_memories() {
    let mut limiter = Limiter::default();
    assert!(limiter.memory_growing(0, MAX_MEMORY / 2, None).is_ok());
    assert!(limiter.memory_growing(0, MAX_MEMORY / 2, None).is_ok());
    let denied = limiter.memory_growing(0, 65_536, None).err().and_then(|error| error.downcast_ref().copied());
    assert_eq!(denied, Some(Stopped::Memory));
}

#[test]
fn a_used_up_meter_lets_nobody_in_until_the_next_call() {
    let meter = Meter::new(Duration::ZERO);
    assert!(meter.hook(CallHook::CallingWasm).is_ok());
    while meter.spent().is_zero() {
        meter.stop();
        meter.start();
    }
    assert!(!meter.tick());
    assert_eq!(meter.hook(CallHook::ReturningFromHost), Err(Stopped::Cpu));
    meter.reset();
    assert!(meter.hook(CallHook::CallingWasm).is_ok());
}

#[test]
fn a_host_call_counts_until_it_waits() {
    let meter = Meter::new(Duration::from_secs(10));
    let since = || meter.since_ns.load(Ordering::Relaxed);
    meter.hook(CallHook::CallingWasm).unwrap();
    let began = since();
    meter.hook(CallHook::CallingHost).unwrap();
    assert_eq!(since(), began, "it goes on");
    meter.charge(Duration::from_secs(1));
    assert_eq!(since(), began + 1_000_000_000, "what is charged does not count twice");
    meter.waits();
    assert_eq!(since(), 0, "it stands still");
    meter.hook(CallHook::ReturningFromHost).unwrap();
    assert_ne!(since(), 0, "and goes on in the guest");
}

#[test]
fn code_without_loops_is_stopped_between_its_host_calls() {
    let meter = Meter::new(Duration::from_nanos(NS_PER_TICK));
    meter.hook(CallHook::CallingWasm).unwrap();
    let mut stopped = Ok(());
    for _ in 0..10 {
        std::thread::sleep(TICK);
        ticked();
        stopped = stopped.and_then(|()| meter.hook(CallHook::CallingHost));
        stopped = stopped.and_then(|()| meter.hook(CallHook::ReturningFromHost));
    }
    assert_eq!(stopped, Err(Stopped::Cpu));
}

#[test]
fn a_guest_that_was_called_back_is_measured_when_its_host_call_is_over() {
    let meter = Meter::new(Duration::from_secs(10));
    let hooks = [CallHook::CallingWasm, CallHook::CallingHost, CallHook::CallingWasm, CallHook::ReturningFromWasm];
    hooks.into_iter().for_each(|hook| meter.hook(hook).unwrap());
    assert_eq!(meter.stop(), None, "the host goes on for itself");
    meter.hook(CallHook::ReturningFromHost).unwrap();
    assert!(meter.stop().is_some());
}

#[test]
fn long_work_of_the_host_counts_whole_and_the_machines_time_does_not() {
    let meter = Meter::new(Duration::from_secs(10));
    let long = Duration::from_nanos(3 * NS_PER_TICK);
    meter.start();
    std::thread::sleep(long);
    meter.stop();
    assert_eq!(meter.spent(), Duration::from_nanos(2 * NS_PER_TICK));
    meter.reset();
    meter.charged(|| std::thread::sleep(long));
    assert!(meter.spent() >= long);
    assert_eq!(meter.stop(), None, "it did not run before");
}
