//! The faults of connections.

use super::{Context, Fault, Smsc};

impl Smsc {
    /// Starts a fault of one connection, or of all.
    pub(crate) fn fail(&mut self, context: &mut Context, fault: Fault) {
        let now = context.now;
        self.fail_as_a_whole(context, fault);
        if self.connections.is_empty() {
            return;
        }
        let chosen = context.rng.index(self.connections.len());
        let all = context.rng.chance(200) || fault == Fault::Restart;
        let Self { connections, host, .. } = self;
        for (index, connection) in connections.iter_mut().enumerate() {
            if index != chosen && !all {
                continue;
            }
            match fault {
                Fault::Stall => (connection.up.stalled, connection.down.held) = (true, true),
                Fault::Cut => {
                    connection.up.cut(now);
                    connection.down.cut(now);
                }
                Fault::BlackHole => (connection.up.lossy, connection.down.lossy) = (true, true),
                Fault::Corrupted => connection.corrupt(&mut context.rng),
                Fault::CutUnseenByServer => {
                    connection.up.cut(now);
                    connection.up.held = true;
                    connection.down.cut(now);
                }
                Fault::CutUnseenByAccount => {
                    connection.up.cut(now);
                    connection.down.cut(now);
                    connection.down.held = true;
                }
                // A server that shuts down unbinds its sessions itself.
                Fault::Restart if host.is_some() => {}
                Fault::Unbind | Fault::Restart => connection.side.unbind(host.as_deref_mut(), now),
                _ => {}
            }
        }
    }

    /// Ends all faults, and makes new connections fast.
    pub(crate) fn recover(&mut self) {
        self.faults.clear();
        self.healthy = true;
        self.behaviour.smsc_delay = 0;
        self.way.capacity = 100_000;
        for connection in &mut self.connections {
            (connection.junk_up, connection.junk_down) = (None, None);
        }
        self.heal();
    }

    /// Repairs all connections that can recover.
    pub(crate) fn heal(&mut self) {
        for connection in &mut self.connections {
            connection.up.heal();
            connection.down.heal();
        }
    }
}
