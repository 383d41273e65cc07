// SPDX-License-Identifier: GPL-2.0-or-later
//
// An ICMP error quotes the start of the packet that it is about, 8 bytes into its own transport
// header: in IPv4 addresses at bits 160 and 192 and ports at 224 and 240. In `nft` notation:
//
//   chain from_client { ...
//     icmp type @icmp_errors @th,64,8 0x45 @th,136,8 tcp jump about_service }
//   chain from_server { ... jump about_client }      # if the same holds
//   chain output { ... jump about_service; ... jump about_client }
//   chain about_service {
//     @th,160,32 . @th,224,16 @quoted_about_service  # the quoted source
//       jhash @th,192,32 . @th,240,16 mod 2 seed S vmap { 0: goto flow_0, ... } }
//   chain about_client {
//     @th,192,32 . @th,240,16 @quoted_about_client   # the quoted destination
//       jhash @th,160,32 . @th,224,16 mod 2 seed S vmap { 0: goto flow_0, ... } }
//
// The quoted packet went the other way than the error: what comes from a client's side is about a
// segment that the service sent, as it left us; what comes from a server's side is about one for a
// backend. This host's own errors (it is the router whose next link is too narrow) never pass
// prerouting, so they are queued on their way out, and rerouted after the verdict.
//
// Policy for other quotes: with IP options or extension headers they are not queued and pass as
// they are. A segment that left synward had none, unless an endpoint itself put them there, and a
// receiver refuses an error about what it does not recognise.
#include "daemon/io/ruleset_icmp.h"

#include <fmt/format.h>
#include <netinet/in.h>
// after <netinet/in.h>, whose types it would define again
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <array>
#include <string>

#include "daemon/io/ruleset_steering.h"

namespace synward::io {
namespace {

constexpr const char* error_types = "icmp_errors";

class IcmpRules {
 public:
  IcmpRules(NftObjects& objects, const RulesetPlan& plan, Family family)
      : objects_(objects), plan_(plan), family_(family), quoted_(quoted_fields(family)) {}

  void add_types() {
    objects_.add_set(error_types, ipv4() ? NftType::icmp_type : NftType::icmpv6_type,
                     icmp_error_keys(family_));
  }
  void add_about_service() {
    add_about("about_service", endpoint_keys(plan_.listens, family_), quoted_.source,
              quoted_.destination);
    for (const char* from : {"from_client", "output"}) add_jump(from, "about_service");
  }
  void add_about_client() {
    add_about("about_client", endpoint_keys(plan_.backends, family_), quoted_.destination,
              quoted_.source);
    for (const char* from : {"from_server", "output"}) add_jump(from, "about_client");
  }

 private:
  bool ipv4() const { return family_ == NFPROTO_IPV4; }

  // The quoted endpoints have a set of their own: `nft` knows these fields as numbers, and does not
  // take numbers for addresses when it reads what it listed.
  void add_about(const char* chain, const NftKeys& ours, const EndpointFields& our_end,
                 const EndpointFields& client) {
    const std::string set = fmt::format("quoted_{}", chain);
    objects_.add_set(set.c_str(), NftKeyType({our_end.address, our_end.port}), ours);
    NftRule steered(family_, table_name, chain);
    load(steered, our_end).in_set(set.c_str());
    steer(steered, {objects_, plan_}, client, "flow");
    objects_.add_rule(steered, "ICMP errors to their worker (needs nft_hash)");
  }

  // In output even those with our mark: fwmark_reflect copies it from a segment to the error about
  // it, and synward itself sends no ICMP.
  void add_jump(const char* from, const char* to) {
    constexpr std::array<std::uint8_t, 1> icmp{IPPROTO_ICMP};
    constexpr std::array<std::uint8_t, 1> icmpv6{IPPROTO_ICMPV6};
    constexpr std::array<std::uint8_t, 1> version_4_without_options{0x45};
    constexpr std::array<std::uint8_t, 1> tcp{IPPROTO_TCP};
    NftRule error(family_, table_name, from);
    error.meta(NFT_META_L4PROTO).equals(ipv4() ? icmp : icmpv6);
    error.transport_field({.offset = 0, .length = 1}).in_set(error_types);
    if (ipv4()) error.transport_field(quoted_field(0)).equals(version_4_without_options);
    error.transport_field(quoted_field(ipv4() ? 9 : 6)).equals(tcp);
    objects_.add_rule(error.jump(to), "ICMP errors");
  }

  NftObjects& objects_;
  const RulesetPlan& plan_;
  Family family_;
  PacketFields quoted_;
};

// An answer in place leaves where its SYN came in, so ip6_forward sends a redirect to its source,
// the server; IPv6 has no send_redirects. A server that has a connection of the same addresses
// and ports, and this machine's link-local address as its router, would believe it and look for
// the client on its own link.
void add_redirect_rule(NftObjects& objects) {
  constexpr std::array<std::uint8_t, 1> icmpv6{IPPROTO_ICMPV6};
  constexpr std::array<std::uint8_t, 1> redirect{137};
  NftRule redirects(NFPROTO_IPV6, table_name, "output");
  redirects.meta(NFT_META_L4PROTO).equals(icmpv6);
  redirects.transport_field({.offset = 0, .length = 1}).equals(redirect);
  redirects.network_field(tcp_fields(NFPROTO_IPV6).destination.address)
      .in_set("listen_addresses")
      .drop();
  objects.add_rule(redirects, "no redirects to servers");
}

}  // namespace

void add_icmp_rules(NftObjects& objects, const RulesetPlan& plan, Family family, bool has_servers) {
  IcmpRules rules(objects, plan, family);
  rules.add_types();
  rules.add_about_service();
  if (has_servers) rules.add_about_client();
  if (family == NFPROTO_IPV6) add_redirect_rule(objects);
}

}  // namespace synward::io
