# The client of the Perl module Net::SMPP against our SMSC: perl client.pl HOST PORT CHECK. See clients.py.
use strict;
use warnings;
use Net::SMPP;

my ($host, $port, $check) = @ARGV;
my ($burst, $window, $throttled) = (1000, 100, 0x58);
$SIG{ALRM} = sub { die "$check: nothing within 30 s\n" };
alarm 30;

my ($smpp, $bound) = Net::SMPP->new_transceiver(
  $host, port => $port, system_id => 'shop', password => 's3cret', interface_version => 0x34,
) or die "no connection: $!\n";
die "the bind was refused: $bound->{status}\n" if $bound->{status};
# From here on requests return their sequence number.
${*$smpp}{async} = 1;

sub submit {
  my ($receipt) = @_;
  return $smpp->submit_sm(
    source_addr_ton => 5, source_addr => 'shop', dest_addr_ton => 1, dest_addr_npi => 1, destination_addr => '6591234567',
    registered_delivery => $receipt, short_message => 'Hello',
  ) || die "submit_sm: $!\n";
}

my (%ids, $status, $id, $receipt, $answered);
$answered = 0;

sub receive {
  my $pdu = $smpp->read_pdu() or die "the connection has ended\n";
  if ($pdu->{cmd} == Net::SMPP::CMD_submit_sm_resp) {
    $answered++;
    ($status, $id) = ($pdu->{status}, $pdu->{message_id});
    $ids{$id} = 1 if defined $id && length $id;
  } elsif ($pdu->{cmd} == Net::SMPP::CMD_deliver_sm) {
    $receipt = $pdu->{short_message};
    $smpp->deliver_sm_resp(message_id => '', seq => $pdu->{seq});
  }
}

if ($check eq 'burst') {
  my $sent = 0;
  while ($answered < $burst) {
    submit(0), $sent++ while $sent < $burst && $sent - $answered < $window;
    receive();
  }
  die keys(%ids) . " ids\n" unless keys(%ids) == $burst;
} else {
  submit($check eq 'basic' ? 1 : 0);
  receive() until $answered;
  my $expected = $check eq 'throttled' ? $throttled : 0;
  die sprintf("the status is 0x%x\n", $status) unless $status == $expected;
  if ($check eq 'basic') {
    receive() until defined $receipt;
    die "the receipt is \"$receipt\"\n" unless index($receipt, "id:$id ") == 0;
  }
}
unless ($check eq 'half-close') {
  my $seq = $smpp->unbind();
  $smpp->wait_pdu(Net::SMPP::CMD_unbind_resp, $seq) or die "no unbind_resp\n";
}
