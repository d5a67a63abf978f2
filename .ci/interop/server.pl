# An SMSC with the Perl module Net::SMPP: perl server.pl. It accepts every message, but refuses the first one with the text
# "throttle" with ESME_RTHROTTLED.
use strict;
use warnings;
use Net::SMPP;

$SIG{CHLD} = 'IGNORE';
my $listener = Net::SMPP->new_listen('127.0.0.1', port => 0, smpp_version => 0x34) or die "cannot listen: $!\n";
$| = 1;
printf "listening on 127.0.0.1:%d\n", $listener->sockport;
my %responses = (
  Net::SMPP::CMD_bind_transceiver => 'bind_transceiver_resp',
  Net::SMPP::CMD_bind_transmitter => 'bind_transmitter_resp',
  Net::SMPP::CMD_bind_receiver => 'bind_receiver_resp',
);
while (1) {
  my $session = $listener->accept or next;
  next if fork;
  my ($number, $throttled) = (0, 0);
  while (my $pdu = $session->read_pdu()) {
    my %to = (seq => $pdu->{seq});
    if (my $response = $responses{$pdu->{cmd}}) {
      $session->$response(%to, system_id => 'perl');
    } elsif ($pdu->{cmd} == Net::SMPP::CMD_submit_sm) {
      my $refused = $pdu->{short_message} eq 'throttle' && !$throttled++;
      $session->submit_sm_resp(%to, message_id => $refused ? '' : $$ . '-' . ++$number, status => $refused ? 0x58 : 0);
    } elsif ($pdu->{cmd} == Net::SMPP::CMD_enquire_link) {
      $session->enquire_link_resp(%to);
    } elsif ($pdu->{cmd} == Net::SMPP::CMD_unbind) {
      $session->unbind_resp(%to);
      last;
    }
  }
  exit;
}
