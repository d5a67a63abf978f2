//! A scheduler of one processor without preemption: a thread runs until it waits or lets others run. Then the next one
//! runs, in the order of their start. Unlike a random schedule it says what threads cost that take turns.

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

pub(crate) struct OneCore {
    executions: u32,
}

impl OneCore {
    /// Creates a scheduler that runs a scenario once.
    pub(crate) const fn new() -> Self {
        Self { executions: 1 }
    }
}

impl Scheduler for OneCore {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.executions = self.executions.checked_sub(1)?;
        Some(Schedule::new(1))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let mut ids = runnable.iter().map(|task| task.id());
        let current = current.filter(|_| runnable.len() > 1 || !is_yielding);
        match current {
            Some(current) if !is_yielding && ids.clone().any(|id| id == current) => Some(current),
            Some(current) => ids.clone().find(|id| *id > current).or_else(|| ids.next()),
            None => ids.next(),
        }
    }

    fn next_u64(&mut self) -> u64 {
        1
    }
}
