// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/checks.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "daemon/io/interfaces.h"
#include "tests/support/temporary_directory.h"

namespace synward::io {
namespace {

namespace fs = std::filesystem;

// A directory that stands for /proc/sys, with the kernel's defaults for eth0 and eth1.
class Checks : public testing::Test {
 protected:
  Checks() {
    plan.sysctl = directory.path();
    for (const char* interface : {"all", "eth0", "eth1", "eth0.100"}) {
      set_ipv4(interface, "rp_filter", 0);
      set_ipv4(interface, "send_redirects", 0);
      set_ipv4(interface, "accept_local", 0);
      set_ipv4(interface, "forwarding", 1);
    }
    set("net/ipv6/conf/all/forwarding", 1);
    plan.client_interfaces = {"eth0"};
    plan.server_interfaces = {"eth1"};
    listen("203.0.113.10");
  }

  void set(const std::string& path, int value) {
    const fs::path file = fs::path(plan.sysctl) / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << value << '\n';
  }
  void set_ipv4(const std::string& interface, const std::string& key, int value) {
    set("net/ipv4/conf/" + interface + "/" + key, value);
  }
  void listen(const char* address) { plan.listens.push_back(*wire::parse_address(address)); }
  bool obstacle(const std::string& part) {
    const Findings findings = in_place_obstacles(plan);
    return findings.size() == 1 && !findings[0].fatal &&
           findings[0].sentence.find(part) != std::string::npos;
  }

  const test::TemporaryDirectory directory;
  NetworkPlan plan;
};

TEST_F(Checks, nothing_is_in_the_way_of_a_reply_in_place) {
  EXPECT_EQ(in_place_obstacles(plan), Findings{});
  EXPECT_EQ(check_forwarding(plan), Findings{});
}

TEST_F(Checks, strict_reverse_path_filter_is_the_maximum_of_all_and_interface) {
  set_ipv4("eth0", "rp_filter", 1);
  EXPECT_TRUE(obstacle("`sysctl -w net.ipv4.conf.eth0.rp_filter=0`"));
  set_ipv4("all", "rp_filter", 1);
  EXPECT_TRUE(obstacle("`sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0`"));
  set_ipv4("all", "rp_filter", 2);
  EXPECT_TRUE(in_place_obstacles(plan).empty());
}

TEST_F(Checks, loose_reverse_path_filter_needs_a_route_to_the_service) {
  plan.unroutable = plan.listens;
  EXPECT_TRUE(in_place_obstacles(plan).empty());
  set_ipv4("all", "rp_filter", 2);
  EXPECT_TRUE(obstacle("there is no route to 203.0.113.10"));
  EXPECT_TRUE(obstacle("`sysctl -w net.ipv4.conf.all.rp_filter=0`"));
  plan.translates = true;
  EXPECT_EQ(answer_obstacles(plan).size(), 1U);
}

TEST_F(Checks, either_switch_turns_redirects_on) {
  set_ipv4("eth0", "send_redirects", 1);
  EXPECT_TRUE(obstacle("`sysctl -w net.ipv4.conf.eth0.send_redirects=0`"));
  set_ipv4("eth0", "send_redirects", 0);
  set_ipv4("all", "send_redirects", 1);
  EXPECT_TRUE(obstacle("`sysctl -w net.ipv4.conf.all.send_redirects=0`"));
}

TEST_F(Checks, own_address_as_service_needs_accept_local) {
  plan.own = {*wire::parse_address("203.0.113.10")};
  EXPECT_TRUE(obstacle("203.0.113.10 is an address of this machine"));
  EXPECT_TRUE(obstacle("`sysctl -w net.ipv4.conf.eth0.accept_local=1`"));
  set_ipv4("all", "accept_local", 1);
  EXPECT_TRUE(in_place_obstacles(plan).empty());
}

TEST_F(Checks, answers_of_backends_at_other_addresses_are_routed_as_the_services) {
  set_ipv4("eth1", "rp_filter", 1);
  plan.own = {*wire::parse_address("203.0.113.10")};
  EXPECT_TRUE(answer_obstacles(plan).empty());
  plan.translates = true;
  const Findings findings = answer_obstacles(plan);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_NE(findings[0].sentence.find("net.ipv4.conf.eth1.rp_filter=0"), std::string::npos);
  EXPECT_NE(findings[1].sentence.find("net.ipv4.conf.eth1.accept_local=1"), std::string::npos);
}

TEST_F(Checks, a_server_on_this_machine_is_no_server_behind_it) {
  plan.transparent = plan.listens;
  EXPECT_TRUE(answer_obstacles(plan).empty());
  plan.own = {*wire::parse_address("203.0.113.10")};
  const Findings findings = answer_obstacles(plan);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_NE(
      findings[0].sentence.find("203.0.113.10 is an address of this machine, and its service"),
      std::string::npos);
}

TEST_F(Checks, sysctl_names_of_vlan_interfaces_have_slashes) {
  plan.client_interfaces = {"eth0.100"};
  set_ipv4("eth0.100", "rp_filter", 1);
  EXPECT_TRUE(obstacle("net.ipv4.conf.eth0/100.rp_filter=0"));
}

TEST_F(Checks, ipv6_alone_has_no_obstacles) {
  set_ipv4("eth0", "rp_filter", 1);
  plan.listens.clear();
  listen("2001:db8:1::10");
  EXPECT_TRUE(in_place_obstacles(plan).empty());
}

TEST_F(Checks, forwarding_is_checked_for_families_in_use) {
  set_ipv4("eth1", "forwarding", 0);
  set("net/ipv6/conf/all/forwarding", 0);
  ASSERT_EQ(check_forwarding(plan).size(), 1U);
  EXPECT_NE(check_forwarding(plan)[0].sentence.find("net.ipv4.ip_forward=1"), std::string::npos);
  EXPECT_FALSE(check_forwarding(plan)[0].fatal);
  listen("2001:db8:1::10");
  ASSERT_EQ(check_forwarding(plan).size(), 2U);
  EXPECT_NE(check_forwarding(plan)[1].sentence.find("net.ipv6.conf.all.forwarding=1"),
            std::string::npos);
}

TEST(CheckCapabilities, names_what_is_missing) {
  EXPECT_TRUE(check_capabilities([](unsigned) { return true; }).empty());
  const auto missing = check_capabilities([](unsigned) { return false; });
  ASSERT_EQ(missing.size(), 2U);
  EXPECT_TRUE(missing[0].fatal);
  EXPECT_EQ(missing[1].sentence,
            "CAP_NET_RAW is missing (raw sockets); add it to AmbientCapabilities= or run under the "
            "shipped unit");
}

TEST(CheckRealtime, wants_the_limit_or_the_capability) {
  const auto no_capability = [](unsigned) { return false; };
  EXPECT_TRUE(check_realtime(50, 50, no_capability).empty());
  EXPECT_TRUE(check_realtime(50, 0, [](unsigned cap) { return cap == CAP_SYS_NICE; }).empty());
  const auto refused = check_realtime(50, 49, no_capability);
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_TRUE(refused[0].fatal);
  EXPECT_NE(refused[0].sentence.find("LimitRTPRIO=50"), std::string::npos);
}

TEST_F(Checks, a_bridge_whose_packets_br_netfilter_takes) {
  set("net/bridge/bridge-nf-call-iptables", 1);
  set("net/bridge/bridge-nf-call-ip6tables", 1);
  EXPECT_EQ(in_place_obstacles(plan), Findings{});  // no bridge
  plan.bridges = {"eth0"};
  EXPECT_TRUE(obstacle("`sysctl -w net.bridge.bridge-nf-call-iptables=0`"));  // no IPv6 here
  set("net/bridge/bridge-nf-call-iptables", 0);
  EXPECT_EQ(in_place_obstacles(plan), Findings{});
  listen("2001:db8:1::10");
  EXPECT_TRUE(obstacle("`sysctl -w net.bridge.bridge-nf-call-ip6tables=0`"));
}

TEST(CheckInterfaces, suggests_a_near_name) {
  const auto findings = check_interfaces({"eth0", "ehh1", "wan"}, {"lo", "eth0", "eth1"});
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_TRUE(findings[0].fatal);
  EXPECT_EQ(findings[0].sentence,
            "interface `ehh1` does not exist; did you mean `eth1`? (there are: lo, eth0, eth1)");
  EXPECT_EQ(findings[1].sentence, "interface `wan` does not exist (there are: lo, eth0, eth1)");
}

TEST(CheckInterfaces, tells_the_name_of_which_this_is_an_alternative) {
  const auto findings =
      check_interfaces({"uplink"}, {"lo", "eth0"},
                       [](const std::string&) -> std::optional<std::string> { return "eth0"; });
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_TRUE(findings[0].fatal);
  EXPECT_EQ(findings[0].sentence,
            "interface `uplink` is an alternative name of `eth0`; write `eth0`");
}

TEST(Interfaces, loopback_is_known) {
  const auto names = interface_names();
  EXPECT_NE(std::ranges::find(names, "lo"), names.end());
  EXPECT_GE(interface_index("lo").value_or(0), 1U);
  EXPECT_GE(interface_mtu("lo").value_or(0), 1280U);
  EXPECT_FALSE(is_bridge("lo"));
  EXPECT_EQ(interface_index("nonexistent"), 0U);
  EXPECT_FALSE(interface_mtu("nonexistent"));
  EXPECT_FALSE(interface_mtu("a-name-longer-than-fifteen"));
}

}  // namespace
}  // namespace synward::io
