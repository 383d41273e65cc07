// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/icmp_builder.h"
#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

using test::Bytes;
using test::IcmpBuilder;

constexpr Ingress client_side{true, false};
constexpr Ingress server_side{false, true};
constexpr Ingress this_host{false, false, true};

struct Case {
  bool ipv6, listed;
};

// A connection with client ISN 1000 and backend ISN 777000, data under way both ways.
class IcmpErrors : public ::testing::TestWithParam<Case>, public Harness {
 protected:
  IcmpErrors() {
    if (GetParam().ipv6) {
      client = endpoint("[2001:db8:1::5]:40000");
      service = backend = endpoint("[2001:db8:2::10]:80");
    }
    settings.services = {{.listens = {service}, .backends = {}}};
    if (!GetParam().listed) return;
    backend = endpoint(GetParam().ipv6 ? "[2001:db8:2::77]:8080" : "198.51.100.77:8080");
    settings.services[0].backends = {backend};
  }

  static Bytes bytes_of(const SegmentToSend& what) {
    Bytes bytes(wire::emitted_length_max(what));
    bytes.resize(wire::emit(bytes, what));
    return bytes;
  }
  // What the client has sent, as the backend's side sees it; and what the backend has sent, as the
  // client's side sees it.
  Bytes of_client(std::uint32_t seq) {
    SegmentToSend segment = between(client, backend, seq);
    segment.ack = SeqNumber(777001);
    segment.flags = wire::flag_ack;
    segment.payload = data;
    return bytes_of(segment);
  }
  Bytes of_service(std::uint32_t seq) {
    SegmentToSend segment = between(service, client, seq);
    segment.ack = SeqNumber(1001);
    segment.flags = wire::flag_ack;
    segment.payload = data;
    return bytes_of(segment);
  }
  Verdict arrive_error(const IcmpBuilder& icmp, Ingress side) {
    Bytes bytes = icmp.build();
    return arrive_bytes(bytes, side);
  }
  wire::IcmpError passed() { return test::must(test::parse_error(passed_error)); }

  void connect_and_send() {
    cookie = connect();
    SegmentToSend request = from_client_segment(1001, cookie + 1);
    request.payload = data;
    ASSERT_EQ(from_client(request), Verdict::forward);
    SegmentToSend answer = from_backend_segment(777001, 1001);
    answer.payload = data;
    ASSERT_EQ(from_backend(answer), Verdict::forward);
  }
  // The client's segments [1001, 1001 + size) and the service's [cookie + 1, ...) are under way.
  std::uint32_t size() const { return static_cast<std::uint32_t>(data.size()); }

  const Bytes data = Bytes(1000, 'd');
  std::uint32_t cookie = 0;
};
INSTANTIATE_TEST_SUITE_P(All, IcmpErrors,
                         ::testing::Values(Case{false, false}, Case{false, true}, Case{true, false},
                                           Case{true, true}),
                         [](const auto& each) {
                           return std::string(each.param.ipv6 ? "IPv6" : "IPv4") +
                                  (each.param.listed ? "Listed" : "Transparent");
                         });

TEST_P(IcmpErrors, AboutTheClientsSegmentReachesTheClientAsItsOwn) {
  connect_and_send();
  ASSERT_EQ(arrive_error(IcmpBuilder::too_big(of_client(1001)), server_side), Verdict::forward);
  EXPECT_EQ(passed().ip.destination, client.address);
  EXPECT_EQ(passed().source, client);
  EXPECT_EQ(passed().destination, service);
  EXPECT_EQ(passed().seq, SeqNumber(1001));
  EXPECT_EQ(wire::load_be32(&passed().quoted_tcp()[8]), cookie + 1);
}

TEST_P(IcmpErrors, AboutTheServicesSegmentReachesTheBackendAsItsOwn) {
  connect_and_send();
  ASSERT_EQ(arrive_error(IcmpBuilder::too_big(of_service(cookie + 1)), client_side),
            Verdict::forward);
  EXPECT_EQ(passed().ip.destination, backend.address);
  EXPECT_EQ(passed().source, backend);
  EXPECT_EQ(passed().destination, client);
  EXPECT_EQ(passed().seq, SeqNumber(777001));
  EXPECT_EQ(wire::load_be32(&passed().quoted_tcp()[8]), 1001U);
}

TEST_P(IcmpErrors, OfThisHostAreAboutEitherSide) {
  connect_and_send();
  EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_client(1001)), this_host), Verdict::forward);
  EXPECT_EQ(passed().destination, service);
  EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_service(cookie + 1)), this_host),
            Verdict::forward);
  EXPECT_EQ(passed().source, backend);
}

TEST_P(IcmpErrors, FromTheSideThatTheSegmentCameFromAreRefused) {
  connect_and_send();
  EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_client(1001)), client_side), Verdict::drop);
  EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_service(cookie + 1)), server_side), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_not_a_service), 2U);
}

// RFC 5927 4.1, at its very edges.
TEST_P(IcmpErrors, WithASequenceThatIsNotUnderWayAreForged) {
  connect_and_send();
  for (const std::uint32_t ahead : {0U, 1U, size()}) {
    EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_client(1001 + ahead)), server_side),
              Verdict::forward);
    EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_service(cookie + 1 + ahead)), client_side),
              Verdict::forward);
  }
  for (const std::uint32_t ahead : {size() + 1, ~0U, 0x7fffffffU, 0x80000000U}) {
    EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_client(1001 + ahead)), server_side),
              Verdict::drop);
    EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_service(cookie + 1 + ahead)), client_side),
              Verdict::drop);
    EXPECT_TRUE(passed_error.empty());
  }
  EXPECT_EQ(dropped(synward_reason_icmp_out_of_window), 8U);
}

// In the backend's own numbers the service's segments never are: they do not leave us as such.
TEST_P(IcmpErrors, WithUntranslatedNumbersAreForged) {
  connect_and_send();
  EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_service(777001)), client_side), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_icmp_out_of_window), 1U);
}

TEST_P(IcmpErrors, AboutAcknowledgedDataAreForged) {
  connect_and_send();
  ASSERT_EQ(from_backend(from_backend_segment(777001 + size(), 1001 + size())), Verdict::forward);
  EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_client(1001)), server_side), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_icmp_out_of_window), 1U);
}

TEST_P(IcmpErrors, ChangeNoStateAndAreNoSignOfLife) {
  settings.idle = seconds(10);
  connect_and_send();
  pass(seconds(9));
  EXPECT_EQ(arrive_error(IcmpBuilder::unreachable(of_client(1001)), server_side), Verdict::forward);
  EXPECT_EQ(arrive_error(IcmpBuilder::unreachable(of_service(cookie + 1)), client_side),
            Verdict::forward);
  EXPECT_EQ(state(Side::client, tcp::State::established), 1);
  EXPECT_EQ(state(Side::backend, tcp::State::established), 1);
  pass(seconds(2));
  EXPECT_EQ(counters().connections_closed[static_cast<std::size_t>(CloseReason::idle)].value(), 1U);
}

TEST_P(IcmpErrors, AboutAChallengeAreDroppedAndItsEntryStays) {
  cookie = challenge();
  EXPECT_EQ(arrive_error(IcmpBuilder::unreachable(of_service(cookie)), client_side), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_icmp_unknown), 1U);
  EXPECT_EQ(counters().half_open_connections.value(), 1);
}

// A connection that somebody else has with the server or a backend: its path MTU is its own matter.
TEST_P(IcmpErrors, AboutNoConnectionOfOursPass) {
  for (const Ingress side : {server_side, this_host}) {
    EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_client(1)), side), Verdict::pass);
  }
  EXPECT_EQ(dropped(synward_reason_icmp_unknown), 0U);
  // Behind a translated address is nobody.
  const Verdict expected = GetParam().listed ? Verdict::drop : Verdict::pass;
  for (const Ingress side : {client_side, this_host}) {
    EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_service(1)), side), expected);
  }
  settings.services = {{}};
  engine().apply(settings, now);
  EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_service(1)), client_side), Verdict::pass);
}

// A flood's sources are unreachable, and most challenges are not remembered: what is no longer than
// one is not passed to the server, which would have the flood of errors instead.
TEST_P(IcmpErrors, AboutWhatMayBeAChallengeAreDropped) {
  SegmentToSend challenge = between(service, client, 1);
  challenge.flags = wire::flag_syn | wire::flag_ack;
  challenge.options = {.mss = 1460, .window_scale = 7, .sack_permitted = true, .timestamps = {}};
  EXPECT_EQ(arrive_error(IcmpBuilder::unreachable(bytes_of(challenge)), client_side),
            Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_icmp_unknown), 1U);
}

TEST_P(IcmpErrors, AboutAConnectionOfThisMachinesOwnPass) {
  settings.own_addresses = {client.address};
  EXPECT_EQ(arrive_error(IcmpBuilder::unreachable(of_client(1)), server_side), Verdict::pass);
  EXPECT_EQ(dropped(synward_reason_icmp_unknown), 0U);
}

TEST_P(IcmpErrors, AboutAnEndedConnectionAreDropped) {
  connect_and_send();
  SegmentToSend reset = from_client_segment(1001 + size(), cookie + 1);
  reset.flags = wire::flag_rst | wire::flag_ack;
  ASSERT_EQ(from_client(reset), Verdict::forward);
  EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_service(cookie + 1)), client_side), Verdict::drop);
  EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_client(1001)), server_side), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_icmp_unknown), 2U);
}

TEST_P(IcmpErrors, OfAnotherServiceAreNotOurs) {
  connect_and_send();
  ++service.port;
  ++backend.port;
  EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_service(cookie + 1)), client_side), Verdict::drop);
  EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_client(1001)), server_side), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_not_a_service), 2U);
}

TEST_P(IcmpErrors, BadOnesHaveTheirReason) {
  connect_and_send();
  Bytes wrong_sum = IcmpBuilder::too_big(of_client(1001)).build();
  wrong_sum.back() ^= 1;
  EXPECT_EQ(arrive_bytes(wrong_sum, server_side), Verdict::drop);
  IcmpBuilder echo = IcmpBuilder::too_big(of_client(1001));
  echo.type = GetParam().ipv6 ? 128 : 8;
  EXPECT_EQ(arrive_error(echo, server_side), Verdict::drop);
  EXPECT_EQ(dropped(synward_reason_bad_checksum), 1U);
  EXPECT_EQ(dropped(synward_reason_bad_icmp), 1U);
}

// Numbers that wrap around between SND.UNA and SND.NXT.
TEST_P(IcmpErrors, SequenceMayWrapAround) {
  const std::uint32_t isn = 0xffffff00;
  cookie = challenge(isn);
  ASSERT_EQ(from_client(from_client_segment(isn + 1, cookie + 1)), Verdict::consume);
  ASSERT_EQ(from_backend(syn_ack(0xffffff00, isn + 1)), Verdict::consume);
  SegmentToSend request = from_client_segment(isn + 1, cookie + 1);
  request.payload = data;
  ASSERT_EQ(from_client(request), Verdict::forward);
  SegmentToSend answer = from_backend_segment(0xffffff01, isn + 1);
  answer.payload = data;
  ASSERT_EQ(from_backend(answer), Verdict::forward);
  for (const std::uint32_t ahead : {0U, 300U, size()}) {
    EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_client(isn + 1 + ahead)), server_side),
              Verdict::forward);
    EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_service(cookie + 1 + ahead)), client_side),
              Verdict::forward);
    EXPECT_EQ(passed().seq, SeqNumber(0xffffff01 + ahead));
  }
  EXPECT_EQ(arrive_error(IcmpBuilder::too_big(of_client(isn)), server_side), Verdict::drop);
}

// --- while the backend has not answered ---

class IcmpToOurSyn : public IcmpErrors {
 protected:
  // To one of two backends; their order is the hash's.
  void start() {
    const Endpoint other =
        endpoint(GetParam().ipv6 ? "[2001:db8:2::78]:8080" : "198.51.100.78:8080");
    settings.services[0].backends = {backend, other};
    cookie = challenge();
    ASSERT_EQ(from_client(from_client_segment(1001, cookie + 1)), Verdict::consume);
    backend = left.at(0).segment.destination;
  }
  Bytes our_syn(std::uint32_t seq = 1000) {
    SegmentToSend segment = between(client, backend, seq);
    segment.flags = wire::flag_syn;
    return bytes_of(segment);
  }
  std::uint64_t failures(BackendFailure which) {
    std::uint64_t sum = 0;
    for (const auto& each : counters().backends) {
      sum += each.failures[static_cast<std::size_t>(which)].value();
    }
    return sum;
  }
};
INSTANTIATE_TEST_SUITE_P(All, IcmpToOurSyn, ::testing::Values(Case{false, true}, Case{true, true}),
                         [](const auto& each) { return each.param.ipv6 ? "IPv6" : "IPv4"; });

TEST_P(IcmpToOurSyn, UnreachableMeansTheNextBackendAtOnce) {
  for (const Ingress side : {server_side, this_host}) {
    client.port += 1;
    start();
    const Endpoint first = backend;
    ASSERT_EQ(arrive_error(IcmpBuilder::unreachable(our_syn()), side), Verdict::consume);
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].segment.flags, wire::flag_syn);
    EXPECT_NE(left[0].segment.destination, first);
    EXPECT_EQ(left[0].segment.seq, SeqNumber(1000));
    // The same again is about a backend that we gave up.
    EXPECT_EQ(arrive_error(IcmpBuilder::unreachable(our_syn()), side), Verdict::drop);
  }
  EXPECT_EQ(failures(BackendFailure::unreachable), 2U);
}

TEST_P(IcmpToOurSyn, UnreachableLastBackendEndsTheClientsConnection) {
  start();
  ASSERT_EQ(arrive_error(IcmpBuilder::unreachable(our_syn()), server_side), Verdict::consume);
  backend = left.at(0).segment.destination;
  ASSERT_EQ(arrive_error(IcmpBuilder::unreachable(our_syn()), server_side), Verdict::consume);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_TRUE(left[0].segment.has(wire::flag_rst));
  EXPECT_EQ(left[0].segment.destination, client);
  EXPECT_EQ(left[0].segment.source, service);
  // It was silent, it did not refuse.
  EXPECT_EQ(counters().connections_closed[std::size_t(CloseReason::backend_timeout)].value(), 1U);
}

// Whoever connects can send an error about its own SYN: it must not cost others their backend.
TEST_P(IcmpToOurSyn, OnlyThisHostsOwnErrorPassesABackendOverForOthers) {
  for (const Ingress side : {server_side, this_host}) {
    start();
    const Endpoint first = backend;
    ASSERT_EQ(arrive_error(IcmpBuilder::unreachable(our_syn()), side), Verdict::consume);
    backend = left.at(0).segment.destination;
    ASSERT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
    int others = 0;
    for (int i = 0; i < 16; ++i) {
      ++client.port;
      start();
      others += backend == first ? 1 : 0;
    }
    EXPECT_EQ(others > 0, side.from_server_side) << others;
    ++client.port;
    pass(milliseconds(8));  // who is asked from now on has not answered since
  }
}

TEST_P(IcmpToOurSyn, ForgedUnreachableChangesNothing) {
  start();
  for (const std::uint32_t seq : {999U, 1001U, 0U}) {
    EXPECT_EQ(arrive_error(IcmpBuilder::unreachable(our_syn(seq)), server_side), Verdict::drop);
    EXPECT_TRUE(left.empty());
  }
  EXPECT_EQ(dropped(synward_reason_icmp_out_of_window), 3U);
  EXPECT_EQ(failures(BackendFailure::unreachable), 0U);
}

TEST_P(IcmpToOurSyn, OtherErrorsAreTakenInAndChangeNothing) {
  start();
  IcmpBuilder exceeded = IcmpBuilder::too_big(our_syn());
  EXPECT_EQ(arrive_error(exceeded, server_side), Verdict::consume);
  exceeded.type = GetParam().ipv6 ? 3 : 11;
  exceeded.code = 0;
  EXPECT_EQ(arrive_error(exceeded, server_side), Verdict::consume);
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(from_backend(syn_ack(777000, 1001)), Verdict::consume);
  EXPECT_EQ(state(Side::backend, tcp::State::established), 1);
}

TEST_P(IcmpToOurSyn, ErrorsOfTheClientsSideAreForNobody) {
  start();
  EXPECT_EQ(arrive_error(IcmpBuilder::unreachable(of_service(cookie)), client_side), Verdict::drop);
  EXPECT_TRUE(left.empty());
  EXPECT_EQ(dropped(synward_reason_icmp_unknown), 1U);
}

}  // namespace
}  // namespace synward::engine
