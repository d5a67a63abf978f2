//! Hides passwords from observers.

use alloc::vec::Vec;

use crate::frame::HEADER_LENGTH;
use crate::pdu::CommandId;

/// Returns whether a PDU with this command contains a password.
pub(super) fn has_password(command: CommandId) -> bool {
    command == CommandId::OUTBIND || (command.is_bind() && !command.is_response())
}

/// Replaces the password: the second C-octet string of the body, after the system_id. In a body without a NUL any octet
/// may belong to the password, so all are replaced.
pub(super) fn mask_password(octets: &[u8]) -> Vec<u8> {
    let mut octets = octets.to_vec();
    let body = octets.get_mut(HEADER_LENGTH..).unwrap_or_default();
    let password = body.iter().position(|octet| *octet == 0).map_or(0, |nul| nul + 1);
    for octet in body.iter_mut().skip(password).take_while(|octet| **octet != 0) {
        *octet = b'*';
    }
    octets
}
