// SPDX-License-Identifier: GPL-2.0-or-later
//
// Whose a segment is (T6): the table of interface, ends, and what the segment is, printed as it is
// found. Nothing of these has a connection of ours.
#include <iostream>

#include "tests/unit/engine/harness.h"

namespace synward::engine {
namespace {

constexpr Ingress client_only{.from_client_side = true};
constexpr Ingress server_only{.from_server_side = true};
constexpr Ingress this_host{.from_this_host = true};
constexpr Ingress both{.from_client_side = true, .from_server_side = true};

// The ends of a segment, by what the configuration says of them.
enum class Ends : std::uint8_t { to_listen, from_backend, from_backend_to_listen };

struct Row {
  const char* interface;
  Ingress ingress;
  Ends ends;
  const char* what;
  std::uint16_t flags;
  const char* transparent;  // what becomes of it before a transparent service; -: not queued
  const char* listed;       // and before one with backends
};

constexpr std::uint16_t a_syn = wire::flag_syn;
constexpr std::uint16_t a_syn_ack = wire::flag_syn | wire::flag_ack;
constexpr std::uint16_t an_ack = wire::flag_ack;
constexpr std::uint16_t a_rst = wire::flag_rst | wire::flag_ack;

// Rows that the rules never queue, such as what a client's interface brings from a backend's
// address, are not here: the network tests have them.
constexpr Row rows[] = {
    {"client", client_only, Ends::to_listen, "SYN", a_syn, "challenged", "challenged"},
    {"client", client_only, Ends::to_listen, "SYN-ACK", a_syn_ack, "dropped", "dropped"},
    {"client", client_only, Ends::to_listen, "data", an_ack, "dropped", "dropped"},
    {"client", client_only, Ends::to_listen, "RST", a_rst, "dropped", "dropped"},
    {"client", client_only, Ends::from_backend_to_listen, "SYN", a_syn, "challenged", "challenged"},
    {"client", client_only, Ends::from_backend_to_listen, "data", an_ack, "dropped", "dropped"},
    {"server", server_only, Ends::from_backend, "SYN", a_syn, "passes", "passes"},
    {"server", server_only, Ends::from_backend, "SYN-ACK", a_syn_ack, "passes", "passes"},
    {"server", server_only, Ends::from_backend, "data", an_ack, "passes", "passes"},
    {"server", server_only, Ends::from_backend, "RST", a_rst, "passes", "passes"},
    {"server", server_only, Ends::from_backend_to_listen, "SYN-ACK", a_syn_ack, "passes", "passes"},
    {"server", server_only, Ends::from_backend_to_listen, "data", an_ack, "passes", "passes"},
    {"server", server_only, Ends::from_backend_to_listen, "RST", a_rst, "passes", "passes"},
    {"server", server_only, Ends::to_listen, "SYN", a_syn, "-", "refused"},
    {"server", server_only, Ends::from_backend_to_listen, "SYN", a_syn, "passes", "refused"},
    {"this host", this_host, Ends::to_listen, "SYN", a_syn, "-", "refused"},
    {"both", both, Ends::to_listen, "SYN", a_syn, "challenged", "challenged"},
    {"both", both, Ends::to_listen, "SYN-ACK", a_syn_ack, "dropped", "dropped"},
    {"both", both, Ends::to_listen, "data", an_ack, "dropped", "dropped"},
    {"both", both, Ends::to_listen, "RST", a_rst, "dropped", "dropped"},
    {"both", both, Ends::from_backend, "SYN", a_syn, "passes", "passes"},
    {"both", both, Ends::from_backend, "SYN-ACK", a_syn_ack, "passes", "passes"},
    {"both", both, Ends::from_backend, "data", an_ack, "passes", "passes"},
    {"both", both, Ends::from_backend, "RST", a_rst, "passes", "passes"},
    {"both", both, Ends::from_backend_to_listen, "SYN", a_syn, "challenged", "challenged"},
    {"both", both, Ends::from_backend_to_listen, "SYN-ACK", a_syn_ack, "passes", "passes"},
    {"both", both, Ends::from_backend_to_listen, "data", an_ack, "dropped", "dropped"},
};

const char* word(Ends ends) {
  switch (ends) {
    case Ends::to_listen:
      return "to a listen";
    case Ends::from_backend:
      return "from a backend";
    case Ends::from_backend_to_listen:
      return "from a backend to a listen";
  }
  return "";
}

// Two services, so that a server of one can be a client of the other.
class Ownership : public ::testing::TestWithParam<std::tuple<bool, bool>>, public Harness {
 protected:
  Ownership() {
    if (ipv6()) {
      client = endpoint("[2001:db8:1::5]:40000");
      service = backend = endpoint("[2001:db8:2::10]:80");
      other_service = other_backend = endpoint("[2001:db8:2::20]:443");
    }
    settings.services = {{.listens = {service}, .backends = {}},
                         {.listens = {other_service}, .backends = {}}};
    settings.offers.resize(2, settings.offers.front());
    if (!listed()) return;
    backend = endpoint(ipv6() ? "[2001:db8:2::77]:8080" : "198.51.100.77:8080");
    other_backend = endpoint(ipv6() ? "[2001:db8:2::78]:8443" : "198.51.100.78:8443");
    settings.services[0].backends = {backend};
    settings.services[1].backends = {other_backend};
  }
  static bool ipv6() { return std::get<0>(GetParam()); }
  static bool listed() { return std::get<1>(GetParam()); }

  SegmentToSend segment_of(Ends ends, std::uint16_t flags) const {
    SegmentToSend segment = between(ends == Ends::to_listen ? client : other_backend,
                                    ends == Ends::from_backend ? client : service, 5000);
    segment.flags = flags;
    if ((flags & wire::flag_ack) != 0) segment.ack = SeqNumber(9000);
    if ((flags & wire::flag_syn) != 0) segment.options.mss = 1460;
    segment.window = 500;
    return segment;
  }
  std::string become(const SegmentToSend& segment, Ingress ingress) {
    switch (arrive(segment, ingress)) {
      case Verdict::pass:
        return left.empty() ? "passes" : "passes, and more";
      case Verdict::drop:
        return left.empty() ? "dropped" : "refused";
      case Verdict::reply:
        return left[0].segment.has(wire::flag_syn) ? "challenged" : "answered";
      case Verdict::consume:
        return "taken in";
      case Verdict::forward:
        return "adopted";
    }
    return "";
  }

  Endpoint other_service = endpoint("198.51.100.20:443");
  Endpoint other_backend = other_service;
};
INSTANTIATE_TEST_SUITE_P(All, Ownership, ::testing::Combine(::testing::Bool(), ::testing::Bool()),
                         [](const auto& each) {
                           return std::string(std::get<0>(each.param) ? "IPv6" : "IPv4") +
                                  (std::get<1>(each.param) ? "Listed" : "Transparent");
                         });

TEST_P(Ownership, IsDecidedByInterfaceAndEnds) {
  for (const Row& row : rows) {
    const std::string expected = listed() ? row.listed : row.transparent;
    if (expected == "-") continue;
    now += seconds(60);
    const std::string found = become(segment_of(row.ends, row.flags), row.ingress);
    std::cout << "  " << row.interface << " | " << word(row.ends) << " | " << row.what << " | "
              << found << '\n';
    EXPECT_EQ(found, expected) << row.interface << ", " << word(row.ends) << ", " << row.what;
  }
}

// A reload took the services away: nothing is ours any more.
TEST_P(Ownership, EndsWithTheService) {
  engine();
  settings.services = {{}, {}};
  engine().apply(settings, now);
  for (const Row& row : rows) {
    if (std::string(row.transparent) == "-") continue;
    EXPECT_EQ(become(segment_of(row.ends, row.flags), row.ingress), "passes")
        << row.interface << ", " << word(row.ends) << ", " << row.what;
  }
}

// While connections that are older than the daemon are adopted, the same segments pass all the
// same, one direction alone, as many as there are, whatever numbers they have.
TEST_P(Ownership, OfOneDirectionAloneIsNeverHarmedByAdoption) {
  settings.adopt_until = now + seconds(600);
  settings.adopt_from_servers = true;
  SegmentToSend segment = segment_of(Ends::from_backend, an_ack);
  for (int i = 0; i < 20; ++i) {
    const Verdict verdict = arrive(segment, server_only);
    EXPECT_TRUE(verdict == Verdict::pass || verdict == Verdict::forward) << i;
    ASSERT_LE(left.size(), 1U);
    for (const Left& each : left) EXPECT_EQ(each.segment.seq, segment.seq);
    segment.seq += 700'000'000;
    segment.ack += 300'000'000;
  }
  // The client calls again from the same port, past us.
  EXPECT_EQ(become(segment_of(Ends::from_backend, a_syn_ack), server_only), "passes");
  EXPECT_EQ(dropped(synward_reason_out_of_window), 0U);
  EXPECT_EQ(dropped(synward_reason_unknown_segment), 0U);
}

TEST_P(Ownership, OfAPortThatIsUsedAgainPastUsIsTheBackends) {
  const std::uint32_t cookie = connect();
  SegmentToSend reset = from_client_segment(1001, cookie + 1);
  reset.flags = wire::flag_rst | wire::flag_ack;
  ASSERT_EQ(from_client(reset), Verdict::forward);
  SegmentToSend answer = syn_ack(888000, 6001);
  EXPECT_EQ(from_backend(answer), Verdict::pass);
  answer.flags = wire::flag_ack;
  answer.seq += 1;
  EXPECT_EQ(from_backend(answer), Verdict::pass);
  EXPECT_EQ(dropped(synward_reason_out_of_window), 0U);
}

// A hang would be the alternative: the backend's answer goes straight to itself.
TEST_P(Ownership, ABackendThatCallsItsOwnServiceIsRefusedAtOnce) {
  if (!listed()) return;
  client = {backend.address, 40000};
  for (const Ingress ingress : {client_only, both}) {
    now += seconds(1);
    EXPECT_EQ(become(syn(), ingress), "refused");
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].segment.source, service);
    EXPECT_EQ(left[0].segment.destination, client);
    EXPECT_EQ(left[0].segment.flags, wire::flag_rst | wire::flag_ack);
    EXPECT_EQ(left[0].segment.ack, SeqNumber(1001));
  }
  EXPECT_EQ(counters().dropped[synward_reason_not_a_client].value(), 2U);
  // It is no backend of the other one.
  service = other_service;
  EXPECT_EQ(become(syn(), client_only), "challenged");
}

// What this machine has at the address itself is its own matter.
TEST_P(Ownership, ACallToThisMachinesOwnAddressIsNotRefused) {
  settings.own_addresses = {service.address};
  EXPECT_EQ(become(segment_of(Ends::from_backend_to_listen, a_syn), server_only), "passes");
}

TEST_P(Ownership, OfMalformedSegmentsIsTheSame) {
  SegmentToSend bad = segment_of(Ends::from_backend, wire::flag_syn | wire::flag_fin);
  EXPECT_EQ(become(bad, server_only), "passes");
  bad = segment_of(Ends::to_listen, wire::flag_syn | wire::flag_fin);
  EXPECT_EQ(become(bad, client_only), "dropped");
  connect();
  bad = from_backend_segment(777001, 1001);
  bad.flags = wire::flag_syn | wire::flag_fin | wire::flag_ack;
  EXPECT_EQ(from_backend(bad), Verdict::drop);
}

}  // namespace
}  // namespace synward::engine
