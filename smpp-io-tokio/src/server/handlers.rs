//! The futures of a service that wait. They run in the task of their session: a task for each would cost more than the
//! request. Slots, with their memory and wakers, are reused, so that a future costs no allocation.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// The futures of one session.
pub(super) struct Handlers<F> {
    slots: Vec<Slot<F>>,
    free: Vec<u32>,
    running: usize,
    woken: Arc<WokenSlots>,
    /// The slots that a turn polls. Empty between two turns; it keeps its memory.
    polling: Vec<u32>,
}

struct Slot<F> {
    /// `None`: the slot is free.
    handler: Pin<Box<Option<F>>>,
    waker: Arc<SlotWaker>,
    /// The same, as the futures take it.
    task_waker: Waker,
}

/// Wakes one slot.
struct SlotWaker {
    slot: u32,
    /// The slot is in the list, or a turn is about to poll it.
    is_woken: AtomicBool,
    woken: Arc<WokenSlots>,
}

/// The slots to poll, in the order in which they were woken.
#[derive(Default)]
struct WokenSlots(Mutex<Woken>);

#[derive(Default)]
struct Woken {
    /// Each slot once at most.
    slots: Vec<u32>,
    /// The task of the session; `None` once it is woken.
    task: Option<Waker>,
}

impl WokenSlots {
    /// A poisoned lock is used as it is: nothing that runs under it leaves it inconsistent.
    fn lock(&self) -> MutexGuard<'_, Woken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_woken.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut woken = self.woken.lock();
        woken.slots.push(self.slot);
        // Woken after the lock is released.
        let task = woken.task.take();
        drop(woken);
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl<F: Future<Output = ()>> Handlers<F> {
    /// Returns the futures of a session whose task is being polled.
    pub(super) fn new(cx: &Context<'_>) -> Self {
        let woken = Arc::new(WokenSlots::default());
        woken.lock().task = Some(cx.waker().clone());
        Self { slots: Vec::new(), free: Vec::new(), running: 0, woken, polling: Vec::new() }
    }

    /// Returns the number of futures that have not completed.
    pub(super) const fn running(&self) -> usize {
        self.running
    }

    /// Polls the futures that were woken before the call. Called at the start of each turn of the task, also if none runs:
    /// a future that starts later in the turn wakes this task.
    pub(super) fn poll(&mut self, cx: &Context<'_>) {
        let mut polling = std::mem::take(&mut self.polling);
        let mut woken = self.woken.lock();
        // Dropped after the lock is released.
        let replaced = match &woken.task {
            Some(task) if task.will_wake(cx.waker()) => None,
            _ => woken.task.replace(cx.waker().clone()),
        };
        std::mem::swap(&mut woken.slots, &mut polling);
        drop(woken);
        drop(replaced);
        for slot in polling.drain(..) {
            self.poll_slot(slot);
        }
        self.polling = polling;
    }

    /// Polls the futures that were woken. Ready once none runs. For a task of their own.
    pub(super) fn poll_all(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.poll(cx);
        if self.running == 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Polls a new future, and keeps it unless it completes at once. Inlined, so that the future is built where it stays.
    #[inline(always)]
    pub(super) fn start(&mut self, handler: F) {
        let index = self.free.pop().unwrap_or_else(|| self.add_slot());
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.handler.set(Some(handler));
            self.running += 1;
            self.poll_slot(index);
        }
    }

    #[cold]
    fn add_slot(&mut self) -> u32 {
        // `max_unanswered` futures run at most: fewer than 2^32.
        let index = self.slots.len() as u32;
        let is_woken = AtomicBool::new(false);
        let waker = Arc::new(SlotWaker { slot: index, is_woken, woken: Arc::clone(&self.woken) });
        let task_waker = Waker::from(Arc::clone(&waker));
        self.slots.push(Slot { handler: Box::pin(None), waker, task_waker });
        index
    }

    /// A future that panics has ended. Its request is dropped, which refuses it.
    fn poll_slot(&mut self, index: u32) {
        let Some(slot) = self.slots.get_mut(index as usize) else { return };
        // Before the poll: a later wake-up is not lost.
        slot.waker.is_woken.swap(false, Ordering::AcqRel);
        // `None`: a waker of an earlier future has woken the slot.
        let Some(handler) = slot.handler.as_mut().as_pin_mut() else { return };
        let mut cx = Context::from_waker(&slot.task_waker);
        let polled = catch_unwind(AssertUnwindSafe(|| handler.poll(&mut cx).is_pending()));
        if polled.unwrap_or(false) {
            return;
        }
        end(&mut slot.handler);
        self.running -= 1;
        self.free.push(index);
    }
}

/// Drops those that still run: their requests are refused if the session has not ended.
impl<F> Drop for Handlers<F> {
    fn drop(&mut self) {
        self.slots.iter_mut().for_each(|slot| end(&mut slot.handler));
    }
}

/// Drops a future. A destructor that panics does not end the session.
fn end<F>(handler: &mut Pin<Box<Option<F>>>) {
    let _ = catch_unwind(AssertUnwindSafe(|| handler.set(None)));
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

    use crate::wait::tests::Counting;

    use super::*;

    type Handler = Pin<Box<dyn Future<Output = ()>>>;

    /// A future that stores its waker at each poll, and completes when it is polled for the last time.
    fn waits(polls: usize, wakers: &Arc<Mutex<Vec<Waker>>>, polled: &Arc<AtomicUsize>) -> Handler {
        let (wakers, polled) = (Arc::clone(wakers), Arc::clone(polled));
        let mut left = polls;
        Box::pin(poll_fn(move |cx| {
            polled.fetch_add(1, Ordering::SeqCst);
            left -= 1;
            wakers.lock().unwrap().push(cx.waker().clone());
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        }))
    }

    #[test]
    fn only_futures_that_were_woken_are_polled_and_the_task_is_woken_once() {
        let task = Arc::new(Counting::default());
        let waker = Arc::clone(&task).into();
        let cx = Context::from_waker(&waker);
        let (wakers, polled) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
        let mut handlers = Handlers::<Handler>::new(&cx);
        for _ in 0..3 {
            handlers.start(waits(2, &wakers, &polled));
        }
        assert_eq!((handlers.running(), polled.load(Ordering::SeqCst)), (3, 3));
        handlers.poll(&cx);
        assert_eq!(polled.load(Ordering::SeqCst), 3, "none was woken");
        for waker in [1, 1, 2] {
            wakers.lock().unwrap()[waker].wake_by_ref();
        }
        assert_eq!(task.0.load(Ordering::SeqCst), 1);
        handlers.poll(&cx);
        assert_eq!((handlers.running(), polled.load(Ordering::SeqCst)), (1, 5));
        // The wakers of a future that has completed, and then the one that waits.
        for waker in [1, 0] {
            wakers.lock().unwrap()[waker].wake_by_ref();
        }
        assert_eq!(task.0.load(Ordering::SeqCst), 2);
        handlers.poll(&cx);
        assert_eq!((handlers.running(), polled.load(Ordering::SeqCst)), (0, 6));
    }

    #[test]
    fn slots_are_reused_and_completed_futures_take_none() {
        let cx = Context::from_waker(Waker::noop());
        let mut handlers = Handlers::<Handler>::new(&cx);
        let (wakers, polled) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..10 {
            handlers.start(waits(1, &wakers, &polled));
        }
        assert_eq!((handlers.running(), handlers.slots.len()), (0, 1));
        for _ in 0..2 {
            (0..3).for_each(|_| handlers.start(waits(2, &wakers, &polled)));
            assert_eq!((handlers.running(), handlers.slots.len()), (3, 3));
            wakers.lock().unwrap().drain(..).for_each(Waker::wake);
            handlers.poll(&cx);
            assert_eq!(handlers.running(), 0);
        }
    }

    #[test]
    fn a_future_that_panics_and_a_destructor_that_panics_end_alone() {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                assert!(std::thread::panicking(), "in the destructor");
            }
        }
        let cx = Context::from_waker(Waker::noop());
        let mut handlers = Handlers::<Handler>::new(&cx);
        handlers.start(Box::pin(async { panic!("in the future") }));
        handlers.start(Box::pin(async { drop(Panics) }));
        assert_eq!(handlers.running(), 0);
        let panics = Panics;
        handlers.start(Box::pin(async move {
            std::future::pending::<()>().await;
            drop(panics);
        }));
        assert_eq!(handlers.running(), 1);
        drop(handlers);
    }

    #[test]
    fn the_task_is_woken_where_it_was_polled_last() {
        let tasks = [(), ()].map(|()| Arc::new(Counting::default()));
        let wakers = tasks.clone().map(Waker::from);
        let mut handlers = Handlers::<Handler>::new(&Context::from_waker(&wakers[0]));
        let (woken, polled) = (Arc::<Mutex<Vec<Waker>>>::default(), Arc::new(AtomicUsize::new(0)));
        handlers.start(waits(2, &woken, &polled));
        handlers.poll(&Context::from_waker(&wakers[1]));
        woken.lock().unwrap()[0].wake_by_ref();
        assert_eq!(tasks.map(|task| task.0.load(Ordering::SeqCst)), [0, 1]);
    }
}
