// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/config/support.h"

namespace synward::config::test {
namespace {

constexpr std::string_view interfaces = "interfaces: {client: [eth0], server: [eth1]}\n";

std::string problems_of_services(std::string_view services) {
  return problems_of(std::string(interfaces).append(services));
}

// The problems of one service, whose first line is the second of the file.
std::string problems_of_listen(std::string_view address) {
  return problems_of_services(
      std::string("services: [{name: web, listen: ['").append(address).append("']}]"));
}

TEST(ConfigServices, ReadsAddressesOfBothFamilies) {
  const Settings settings =
      loaded_settings(std::string(interfaces) +
                      "services:\n"
                      "  - name: web\n"
                      "    listen: ['203.0.113.10:443', '[2001:db8:1::10]:443']\n"
                      "    backends: [198.51.100.10:443, '[2001:db8:2::10]:8443']\n"
                      "    when_down: reset\n"
                      "  - {name: mail, listen: ['203.0.113.10:25'], mode: always}\n");
  ASSERT_EQ(settings.services.size(), 2U);
  const Service& web = settings.services[0];
  EXPECT_EQ(web.listen[1], endpoint("[2001:db8:1::10]:443"));
  EXPECT_EQ(web.backends[0].endpoint, endpoint("198.51.100.10:443"));
  EXPECT_EQ(web.when_down, WhenDown::reset);
  EXPECT_EQ(settings.services[1].name, "mail");
}

TEST(ConfigServices, BackendsCanHaveWeights) {
  const Settings settings =
      loaded_settings(std::string(interfaces) +
                      "services: [{name: web, listen: ['203.0.113.10:443'], "
                      "backends: [10.0.0.1:1, 10.0.0.2:1 weight=1, '10.0.0.3:1 weight=256']}]\n");
  const std::vector<Backend>& backends = settings.services[0].backends;
  ASSERT_EQ(backends.size(), 3U);
  EXPECT_EQ(backends[0].weight, 1U);
  EXPECT_EQ(backends[1].weight, 1U);
  EXPECT_EQ(backends[2], (Backend{endpoint("10.0.0.3:1"), 256}));
}

TEST(ConfigServices, RefusesWhatIsNoWeight) {
  const auto problems = [](const std::string& backend) {
    return problems_of_services("services: [{name: web, listen: ['10.0.0.9:1'], backends: ['" +
                                backend + "']}]");
  };
  for (const auto* const weight : {"0", "257", "-1", "1.5", "", "two", "010x"}) {
    EXPECT_NE(problems(std::string("10.0.0.1:1 weight=") + weight).find(": backends: weight "),
              std::string::npos)
        << weight;
  }
  for (const auto* const option : {" ", " wieght=2", "  weight=2", " 2"}) {
    EXPECT_NE(problems(std::string("10.0.0.1:1") + option).find("ADDRESS:PORT weight=N"),
              std::string::npos)
        << option;
  }
  EXPECT_NE(problems_of_listen("10.0.0.1:1 weight=2").find("numeric ADDRESS:PORT"),
            std::string::npos);
}

TEST(ConfigServices, RefusesAddressesNobodyCanConnectTo) {
  for (const auto* const address :
       {"224.0.0.1:1", "239.255.255.255:1", "0.0.0.0:1", "0.1.2.3:1", "255.255.255.255:1",
        "127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[ff02::1]:1", "[::]:1"}) {
    EXPECT_NE(problems_of_listen(address).find("nobody can connect to it"), std::string::npos)
        << address;
  }
  EXPECT_EQ(problems_of_services("services: [{name: web, listen: [10.0.0.1:1], "
                                 "backends: [224.0.0.1:1]}]"),
            "2:57: backends: '224.0.0.1:1' is a multicast address; nobody can connect to it\n");
}

TEST(ConfigServices, RefusesWhatIsNoNumericAddressAndPort) {
  for (const auto* const address :
       {"", "web:443", "203.0.113.10", "203.0.113.10:-1", "203.0.113.10:", ":443",
        "203.0.113.010:443x", "[203.0.113.10]:443", "[2001:db8::1]", "[2001:db8::1%eth0]:443",
        "[::ffff:203.0.113.10]:443", "203.0.113.10:443 "}) {
    EXPECT_NE(problems_of_listen(address).find("is not a numeric ADDRESS:PORT"), std::string::npos)
        << address;
  }
}

TEST(ConfigServices, SaysWhatIsWrongWithAPort) {
  EXPECT_EQ(problems_of_listen("203.0.113.10:0"),
            "2:33: listen: the port of '203.0.113.10:0' is out of range; "
            "the range is 1 to 65535\n");
  for (const auto* const address :
       {"203.0.113.10:65536", "[2001:db8::1]:00", "203.0.113.10:99999999999999999999"}) {
    EXPECT_NE(problems_of_listen(address).find("is out of range; the range is 1 to 65535"),
              std::string::npos)
        << address;
  }
}

TEST(ConfigServices, SaysThatRangesOfPortsAreNotInThisVersion) {
  EXPECT_EQ(problems_of_listen("203.0.113.10:8000-8099"),
            "2:33: listen: '203.0.113.10:8000-8099' is not in this version\n");
  EXPECT_EQ(problems_of_listen("[2001:db8::10]:80-80"),
            "2:33: listen: '[2001:db8::10]:80-80' is not in this version\n");
  for (const auto* const no_range :
       {"203.0.113.10:8099-8000", "203.0.113.10:0-80", "203.0.113.10:80-65536", "203.0.113.10:80-",
        "203.0.113.10:-80", "203.0.113.10:1-2-3", "web-1:443", "203.0.113.10-12:443", "-:", ":-"}) {
    EXPECT_NE(problems_of_listen(no_range).find("is not a numeric ADDRESS:PORT"), std::string::npos)
        << no_range;
  }
}

TEST(ConfigServices, SaysThatANetworkIsNoAddress) {
  EXPECT_EQ(problems_of_listen("203.0.113.0/24:443"),
            "2:33: listen: '203.0.113.0/24:443' is a network; "
            "each address is written out, with a port\n");
  for (const auto* const address :
       {"203.0.113.0/24", "2001:db8::/64", "[2001:db8::/64]:443", "[2001:db8::]/64:443"}) {
    EXPECT_NE(problems_of_listen(address).find("is a network"), std::string::npos) << address;
  }
  EXPECT_EQ(problems_of_listen("http://203.0.113.10:443").find("is a network"), std::string::npos);
}

TEST(ConfigServices, SuggestsBracketsForABareIpv6Address) {
  EXPECT_EQ(problems_of_listen("ff02::1:443").find("did you mean"), std::string::npos);
  EXPECT_NE(problems_of_listen("2001:db8::1:443").find("; did you mean '[2001:db8::1]:443'?"),
            std::string::npos);
}

TEST(ConfigServices, RefusesOverlappingListensOverAllServices) {
  EXPECT_EQ(problems_of_services("services:\n"
                                 "  - {name: a, listen: ['10.0.0.1:1', '10.0.0.1:1']}\n"
                                 "  - {name: b, listen: ['10.0.0.1:2', '10.0.0.1:01']}\n"),
            "3:38: listen: overlapping listen 10.0.0.1:1; it is already on line 3\n"
            "4:38: listen: overlapping listen 10.0.0.1:1; it is already on line 3\n");
}

TEST(ConfigServices, RefusesTwoOfOneName) {
  EXPECT_EQ(problems_of_services("services:\n"
                                 "  - {name: a, listen: ['10.0.0.1:1']}\n"
                                 "  - {name: a, listen: ['10.0.0.1:2']}\n"),
            "4:12: name: duplicate service name 'a'; it is already on line 3\n");
}

TEST(ConfigServices, BoundTheirListensTogether) {
  const auto services = [](int listens) {
    std::string text = "services:\n";
    for (int i = 0; i < listens; ++i) {
      if (i % 256 == 0) text += "  - name: s" + std::to_string(i) + "\n    listen:\n";
      text += "      - 203.0.113.1:" + std::to_string(i + 1) + "\n";
    }
    return text;
  };
  EXPECT_EQ(problems_of_services(services(4096)), "");
  const std::string one_too_many =
      "4133:9: listen: one too many; all services together may have 4096\n";
  EXPECT_EQ(problems_of_services(services(4097)), one_too_many);
  EXPECT_EQ(problems_of_services(services(4099)), one_too_many);
}

TEST(ConfigServices, RefusesTheSameBackendTwice) {
  EXPECT_EQ(problems_of_services("services: [{name: a, listen: ['10.0.0.1:1'],\n"
                                 "  backends: ['10.0.0.2:1', '10.0.0.2:1']}]\n"),
            "3:28: backends: duplicate backend 10.0.0.2:1; it is already on line 3\n");
}

TEST(ConfigServices, RefusesAListenWhoseFamilyNoBackendHas) {
  EXPECT_EQ(problems_of_services("services: [{name: a, listen: ['10.0.0.1:1', '[2001:db8::1]:1'],\n"
                                 "  backends: ['[2001:db8::2]:1']}]\n"),
            "2:31: listen: 10.0.0.1:1 is IPv4, but no backend is\n");
  EXPECT_EQ(problems_of_services("services: [{name: a, listen: ['10.0.0.1:1'],\n"
                                 "  backends: ['[2001:db8::2]:1', '10.0.0.2:1']}]\n"),
            "");
}

TEST(ConfigServices, DoesNotBlameTheFamilyForABadBackend) {
  EXPECT_EQ(problems_of_services("services: [{name: a, listen: ['10.0.0.1:1'],\n"
                                 "  backends: ['10.0.0.2']}]\n"),
            "3:14: backends: '10.0.0.2' is not a numeric ADDRESS:PORT such as 203.0.113.10:443 or "
            "[2001:db8::10]:443\n");
}

TEST(ConfigServices, RefusesEmptyLists) {
  EXPECT_EQ(problems_of("interfaces: {client: [], server: []}\nservices: []\n"),
            "1:22: client: the list is empty\n"
            "1:34: server: the list is empty\n"
            "2:11: services: the list is empty\n");
  EXPECT_EQ(problems_of_services("services: [{name: a, listen: [], backends: []}]"),
            "2:30: listen: the list is empty\n"
            "2:44: backends: the list is empty\n");
}

TEST(ConfigServices, RefusesModesThatComeWithDetection) {
  EXPECT_EQ(problems_of_services("services:\n"
                                 "  - {name: a, listen: ['10.0.0.1:1'], mode: adaptive}\n"
                                 "  - {name: b, listen: ['10.0.0.1:2'], mode: monitor}\n"
                                 "  - {name: c, listen: ['10.0.0.1:3'], mode: alway}\n"),
            "3:45: mode: 'adaptive' is not in this version\n"
            "4:45: mode: 'monitor' is not in this version\n"
            "5:45: mode: 'alway' is not one of always, adaptive, monitor; "
            "did you mean 'always'?\n");
}

TEST(ConfigServices, RefusesNamesThatMakeNoLabel) {
  const auto problems_of_name = [](const std::string& name) {
    return problems_of_services("services: [{name: '" + name + "', listen: ['10.0.0.1:1']}]");
  };
  EXPECT_EQ(problems_of_name(std::string(64, 'x')), "");
  EXPECT_EQ(problems_of_name("A-z_0.9"), "");
  EXPECT_NE(problems_of_name("none").find("is reserved"), std::string::npos);
  for (const std::string& name : {std::string(), std::string(65, 'x'), std::string("a b"),
                                  std::string("a/b"), std::string("\u00e9")}) {
    EXPECT_NE(problems_of_name(name).find("is not 1 to 64 of the characters"), std::string::npos)
        << name;
  }
}

TEST(ConfigInterfaces, RefusesNamesTheKernelDoes) {
  const auto problems_of_name = [](const std::string& name) {
    return problems_of("interfaces: {client: ['" + name + "'], server: [eth1]}\n" +
                       "services: [{name: a, listen: ['10.0.0.1:1']}]");
  };
  EXPECT_EQ(problems_of_name("abcdefghijklmno"), "");
  EXPECT_EQ(problems_of_name("br-1.100@x"), "");
  for (const auto* const name : {"", "abcdefghijklmnop", "a/b", "a b", "..", "a:1", "eth*"}) {
    EXPECT_NE(problems_of_name(name).find("is not an interface name"), std::string::npos) << name;
  }
}

TEST(ConfigInterfaces, MayNameOneOnBothSidesButNotTwiceOnOne) {
  EXPECT_EQ(problems_of("interfaces: {client: [eth0, eth0], server: [eth0]}\n"
                        "services: [{name: a, listen: ['10.0.0.1:1']}]"),
            "1:29: client: duplicate interface 'eth0'\n");
}

}  // namespace
}  // namespace synward::config::test
