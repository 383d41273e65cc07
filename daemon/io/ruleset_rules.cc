// SPDX-License-Identifier: GPL-2.0-or-later
//
// In `nft` notation, for IPv4 and two workers:
//
//   chain prerouting { type filter hook prerouting priority raw;
//     mark & MASK == MARK accept                     # our own packets, and answered ones
//     iifname @client_interfaces jump from_client
//     iifname @server_interfaces jump from_server }
//   chain from_client {
//     meta l4proto tcp ip daddr . tcp dport @listens goto to_service
//     (ICMP errors about a service's segments: ruleset_icmp.cc) }
//   chain to_service {
//     tcp flags & (syn|ack) == syn
//       jhash ip saddr . tcp sport mod 2 seed S vmap { 0: goto syn_0, 1: goto syn_1 }
//     jhash ip saddr . tcp sport mod 2 seed S vmap { 0: goto flow_0, 1: goto flow_1 } }
//   chain from_server {
//     tcp flags & (syn|ack) == syn ip daddr . tcp dport @translated
//       jhash ip saddr . tcp sport mod 2 seed S vmap { 0: goto syn_0, 1: goto syn_1 }
//     meta l4proto tcp ip saddr . tcp sport @backends ip daddr != @own_addresses
//       jhash ip daddr . tcp dport mod 2 seed S vmap { 0: goto flow_0, 1: goto flow_1 }
//     (ICMP errors about segments to a backend) }
//   chain syn_0 { queue num 24100 bypass }   chain flow_0 { queue num 24101 bypass }   ...
//   chain reassembly { meta l4proto tcp tproxy to :1 }      # never entered, see add_reassembly()
//   chain prerouting_judged { type filter hook prerouting priority raw + 1; mark ... notrack }
//   chain output { type filter hook output priority raw;
//     oifname != "lo" meta mark & MASK != MARK tcp flags ... @translated ... vmap { ... }
//     (ICMP errors of this host about either)
//     icmpv6 type nd-redirect ip6 daddr @listen_addresses drop }       # table ip6 only
//   chain output_judged { type filter hook output priority raw + 1; mark ... notrack }
//   (counters of what becomes of our packets: ruleset_way.cc)
//
// The client's address and port are hashed in both directions, with one seed and in one layout
// (the address, the port, two zero bytes), so both reach the same worker, NAT or not; an ICMP error
// is hashed by the client that it quotes, so it reaches that worker too.
#include "daemon/io/ruleset_rules.h"

#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
// after <netinet/in.h>, whose types it would define again
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <array>
#include <string>

#include "daemon/io/nft_objects.h"
#include "daemon/io/nft_rule.h"
#include "daemon/io/ruleset_icmp.h"
#include "daemon/io/ruleset_steering.h"
#include "daemon/io/ruleset_way.h"

namespace synward::io {
namespace {

constexpr std::int32_t raw_priority = -300;
constexpr std::int32_t judged_priority = raw_priority + 1;  // before conntrack, at -200

class TableBuilder {
 public:
  TableBuilder(NftBatch& batch, const RulesetPlan& plan, Family family, RulesetParts parts)
      : objects_(batch, table_name, family),
        plan_(plan),
        family_(family),
        fields_(tcp_fields(family)),
        parts_(parts) {}

  void add_frame();
  std::vector<std::string> add_contents();

 private:
  void add_sets();
  void add_prerouting_rules();
  void add_reassembly();
  void add_service_rules();
  void add_server_rule();
  void add_refused_calls();
  void add_queue_rules();
  void add_mark_rules();

  NftRule rule(const std::string& chain) const { return {family_, table_name, chain}; }
  Steering steering() { return {objects_, plan_}; }
  void commit(NftRule& rule, const char* what) { objects_.add_rule(rule, what); }
  bool has_servers() const { return !plan_.server_interfaces.empty() && !backends_.empty(); }

  NftObjects objects_;
  const RulesetPlan& plan_;
  Family family_;
  PacketFields fields_;
  RulesetParts parts_;
  NftKeys backends_, own_, translated_;
};

void TableBuilder::add_frame() {
  objects_.add_owned_table();
  objects_.add_base_chain(
      {.name = "prerouting", .hook = NF_INET_PRE_ROUTING, .priority = raw_priority});
  objects_.add_base_chain({.name = "output", .hook = NF_INET_LOCAL_OUT, .priority = raw_priority});
  objects_.add_base_chain(
      {.name = "prerouting_judged", .hook = NF_INET_PRE_ROUTING, .priority = judged_priority});
  objects_.add_base_chain(
      {.name = "output_judged", .hook = NF_INET_LOCAL_OUT, .priority = judged_priority});
  for (const char* name :
       {"from_client", "to_service", "from_server", "about_service", "about_client"}) {
    objects_.add_chain(name);
  }
  for (unsigned worker = 0; worker < plan_.workers; ++worker)
    for (const char* kind : {"syn", "flow"}) objects_.add_chain(worker_chain(kind, worker));
  if (parts_.reassembly != Reassembly::none) objects_.add_chain("reassembly");
  add_way_stations(objects_);
}

std::vector<std::string> TableBuilder::add_contents() {
  backends_ = endpoint_keys(plan_.backends, family_);
  own_ = address_keys(plan_.own_addresses, family_);
  translated_ = endpoint_keys(plan_.translated, family_);
  add_sets();
  add_prerouting_rules();
  add_service_rules();
  if (!translated_.empty()) add_refused_calls();
  if (has_servers()) add_server_rule();
  add_queue_rules();
  add_reassembly();
  add_icmp_rules(objects_, plan_, family_, has_servers());
  add_mark_rules();
  return objects_.set_names();
}

void TableBuilder::add_sets() {
  const std::uint32_t address = family_ == NFPROTO_IPV4 ? NftType::ipv4_addr : NftType::ipv6_addr;
  const std::uint32_t endpoint = NftType::concatenation(address, NftType::inet_service);
  objects_.add_set("client_interfaces", NftType::ifname, interface_keys(plan_.client_interfaces));
  objects_.add_set("listens", endpoint, endpoint_keys(plan_.listens, family_));
  if (has_servers()) {
    objects_.add_set("server_interfaces", NftType::ifname, interface_keys(plan_.server_interfaces));
    objects_.add_set("backends", endpoint, backends_);
    if (!own_.empty()) objects_.add_set("own_addresses", address, own_);
  }
  if (!translated_.empty()) objects_.add_set("translated", endpoint, translated_);
  if (family_ == NFPROTO_IPV6)
    objects_.add_set("listen_addresses", address, address_keys(plan_.listens, family_));
}

void TableBuilder::add_prerouting_rules() {
  NftRule own = marked_rule(plan_, family_, "prerouting");
  commit(own.accept(), "own packets pass");
  NftRule client = rule("prerouting");
  client.meta(NFT_META_IIFNAME).in_set("client_interfaces").jump("from_client");
  commit(client, "packets of client interfaces");
  if (!has_servers()) return;
  NftRule server = rule("prerouting");
  server.meta(NFT_META_IIFNAME).in_set("server_interfaces").jump("from_server");
  commit(server, "packets of server interfaces");
}

// Their presence in the table is what counts: from then on, and until they go, the kernel puts
// fragments together before any rule sees them, on all interfaces, both ways, and without
// conntrack. Nothing jumps to the chain, so no packet pays for it.
void TableBuilder::add_reassembly() {
  if (parts_.reassembly == Reassembly::none) return;
  constexpr std::array<std::uint8_t, 1> tcp{IPPROTO_TCP};
  NftRule switch_on = rule("reassembly");
  switch_on.meta(NFT_META_L4PROTO).equals(tcp);  // `nft` wants one, to read it again
  if (parts_.reassembly == Reassembly::tproxy)
    switch_on.tproxy(1);
  else
    switch_on.xt_socket_match();
  objects_.add_rule(switch_on, "fragments put together (needs nft_tproxy)", NftNeed::reassembly);
}

void TableBuilder::add_service_rules() {
  constexpr std::array<std::uint8_t, 1> tcp{IPPROTO_TCP};
  NftRule service = rule("from_client");
  service.meta(NFT_META_L4PROTO).equals(tcp);
  load(service, fields_.destination).in_set("listens").go_to("to_service");
  commit(service, "packets to a service");

  constexpr std::array<std::uint8_t, 1> syn_and_ack{tcp_syn_ack};
  constexpr std::array<std::uint8_t, 1> syn{tcp_syn};
  NftRule syns = rule("to_service");
  syns.meta(NFT_META_L4PROTO).equals(tcp);  // or `nft list` knows no flags
  syns.transport_field(tcp_flags).masked(syn_and_ack).equals(syn);
  steer(syns, steering(), fields_.source, "syn");
  commit(syns, "SYNs to their worker (needs nft_hash)");
  NftRule others = rule("to_service");
  steer(others, steering(), fields_.source, "flow");
  commit(others, "segments to their worker (needs nft_hash)");
}

// Calls of a translated service from where it cannot be called: the engine refuses them. What goes
// to this host itself, its own stack answers.
void TableBuilder::add_refused_calls() {
  constexpr std::array<std::uint8_t, 1> tcp{IPPROTO_TCP};
  constexpr std::array<std::uint8_t, 1> syn_and_ack{tcp_syn_ack};
  constexpr std::array<std::uint8_t, 1> syn{tcp_syn};
  constexpr std::array<std::uint8_t, IFNAMSIZ> loopback{'l', 'o'};
  NftRule servers = rule("from_server");
  NftRule own = rule("output");
  own.meta(NFT_META_OIFNAME).differs(loopback);
  own.meta(NFT_META_MARK)
      .masked(host_order(plan_.mark_mask))
      .differs(host_order(plan_.mark & plan_.mark_mask));
  for (NftRule* const calls : {&own, &servers}) {
    calls->meta(NFT_META_L4PROTO).equals(tcp);
    calls->transport_field(tcp_flags).masked(syn_and_ack).equals(syn);
    load(*calls, fields_.destination).in_set("translated");
    steer(*calls, steering(), fields_.source, "syn");
    commit(*calls, "calls of translated services (needs nft_hash)");
  }
}

void TableBuilder::add_server_rule() {
  constexpr std::array<std::uint8_t, 1> tcp{IPPROTO_TCP};
  NftRule server = rule("from_server");
  server.meta(NFT_META_L4PROTO).equals(tcp);
  load(server, fields_.source).in_set("backends");
  if (!own_.empty()) {
    server.network_field(fields_.destination.address).not_in_set("own_addresses");
  }
  steer(server, steering(), fields_.destination, "flow");
  commit(server, "packets of a backend (needs nft_hash)");
}

// With `bypass`, for a copy of these rules that somebody saved and loaded without the daemon: it
// lets everything pass. With the daemon it changes nothing: queues are bound before the rules come
// and until they are gone, and one that is bound but not read fills and drops.
void TableBuilder::add_queue_rules() {
  for (unsigned worker = 0; worker < plan_.workers; ++worker) {
    for (const unsigned role : {0U, 1U}) {
      const auto number = static_cast<std::uint16_t>(plan_.queue_start + 2 * worker + role);
      const std::string chain = worker_chain(role == 0 ? "syn" : "flow", worker);
      NftRule queue = rule(chain);
      parts_.native_queue ? queue.queue(number) : queue.queue_xt_target(number);
      objects_.add_rule(queue, fmt::format("queue {}", number), NftNeed::queue);
    }
  }
}

// A verdict continues behind the chain that queued. Only what was judged to be ours is untracked:
// the rest is for conntrack to know, as if it had not been queued.
void TableBuilder::add_mark_rules() {
  for (const char* judged : {"prerouting_judged", "output_judged"})
    commit(marked_rule(plan_, family_, judged).notrack(), "own packets untracked (needs nft_ct)");
  add_way_rules(objects_, plan_, family_);
}

}  // namespace

bool family_in_use(const RulesetPlan& plan, Family family) {
  return !address_keys(plan.listens, family).empty();
}

void add_frame(NftBatch& batch, const RulesetPlan& plan, Family family, RulesetParts parts) {
  TableBuilder(batch, plan, family, parts).add_frame();
}

std::vector<std::string> add_contents(NftBatch& batch, const RulesetPlan& plan, Family family,
                                      RulesetParts parts) {
  return TableBuilder(batch, plan, family, parts).add_contents();
}

void add_deletion_of_contents(NftBatch& batch, Family family,
                              const std::vector<std::string>& sets) {
  NftObjects objects(batch, table_name, family);
  objects.delete_rules();
  for (const std::string& set : sets) objects.delete_set(set);
}

void add_table_deletion(NftBatch& batch, Family family) {
  NftObjects(batch, table_name, family).delete_table();
}

}  // namespace synward::io
