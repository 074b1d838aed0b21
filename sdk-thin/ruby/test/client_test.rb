# frozen_string_literal: true

require "minitest/autorun"
require "stringio"
require "tmpdir"
require_relative "../lib/tailslide_client"

# A sidecar on a free port that answers as a test says. The block gets the socket, the path and the body of each request;
# what it returns is written, and :close ends the connection.
class FakeSidecar
  attr_reader :port, :requests

  def initialize(port = 0, &answer)
    @server = TCPServer.new("127.0.0.1", port)
    @port = @server.addr[1]
    @requests = Queue.new
    @answer = answer || ->(*) { FakeSidecar.evaluation }
    @sockets = Queue.new
    @accepting = Thread.new { loop { serve(@server.accept) } }
    @accepting.report_on_exception = false
  end

  def url
    "http://127.0.0.1:#{port}"
  end

  def stop
    @accepting.kill.join
    @server.close
    @sockets.pop.close until @sockets.empty?
  end

  def self.http(body, status = "200 OK", headers = "")
    "HTTP/1.1 #{status}\r\nContent-Length: #{body.bytesize}\r\n#{headers}\r\n#{body}"
  end

  def self.evaluation(value = "on", **metadata)
    http(JSON.generate({ key: "f", value: value, variant: "on", reason: "STATIC", metadata: { active: true, **metadata } }))
  end

  private

  def serve(socket)
    @sockets << socket
    Thread.new { nil while serve_one(socket) }.report_on_exception = false
  end

  def serve_one(socket)
    head = socket.gets("\r\n\r\n") || return
    body = socket.read(head[/content-length: (\d+)/i, 1].to_i)
    path = head.split[1]
    @requests << [path, head, JSON.parse(body)]
    answer = @answer.call(socket, path, body)
    answer == :close ? socket.close : socket.write(answer)
    answer != :close
  end
end

class ClientTest < Minitest::Test
  def setup
    @log = StringIO.new
    @clients = []
    @fakes = []
  end

  def teardown
    @fakes.each(&:stop)
    @clients.each(&:close)
  end

  def fake(port = 0, &answer)
    FakeSidecar.new(port, &answer).tap { |fake| @fakes << fake }
  end

  def client(url, **settings)
    Tailslide::Client.new(url: url, logger: Logger.new(@log), **settings).tap { |client| @clients << client }
  end

  # Asks once and returns the error, and checks the time it took.
  def error_of(client, within: 0.2)
    began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    evaluation = client.evaluate("f", "u", default: "d")
    assert_operator Process.clock_gettime(Process::CLOCK_MONOTONIC) - began, :<, within
    assert_equal "d", evaluation.value unless evaluation.error.empty?
    evaluation.error
  end

  # Below the ports of outgoing connections, one of which could have it before it is listened on.
  def free_port
    port = rand(11_000...32_768)
    TCPServer.new("127.0.0.1", port).close
    port
  rescue Errno::EADDRINUSE
    retry
  end

  def test_question_as_sent_and_answer_as_read
    sidecar = fake { FakeSidecar.evaluation("blue", version: 3) }
    evaluation = client(sidecar.url, token: "t0k3n").evaluate(
      "a b/ü", "user-42", attributes: { country: "DE", targetingKey: "no" }, default: "red"
    )
    path, head, body = sidecar.requests.pop
    assert_equal "/ofrep/v1/evaluate/flags/a%20b%2F%C3%BC", path
    assert_includes head, "Authorization: Bearer t0k3n\r\n"
    assert_equal({ "context" => { "country" => "DE", "targetingKey" => "user-42" } }, body)
    assert_equal ["blue", "on", true, "STATIC", 3, "", ""],
                 evaluation.to_h.values_at(:value, :variant, :active, :reason) +
                 [evaluation.metadata["version"], evaluation.error, evaluation.error_details]
  end

  def test_targeting_key_left_out_where_none_is_given
    sidecar = fake
    client(sidecar.url).active?("f")
    assert_equal({ "context" => {} }, sidecar.requests.pop.last)
  end

  def test_empty_flag_is_not_asked_for_and_pauses_nothing
    sidecar = fake { FakeSidecar.evaluation }
    flags = client(sidecar.url)
    errors = ["", nil, "", nil, "", nil].map { |flag| flags.evaluate(flag, "u", default: false).error }
    assert_equal ["FLAG_NOT_FOUND"] * 6, errors
    assert flags.active?("f", "u")
  end

  def test_value_has_the_type_of_the_default
    value = nil
    client = client(fake { FakeSidecar.evaluation(value) }.url)
    [[5, 1, 5], [5.0, 1, 5], [5.5, 1, 1], [5, 1.5, 5.0], [5, "s", "s"], ["x", "s", "x"], [true, 1, 1], [1, true, true],
     [{ "a" => 1 }, {}, { "a" => 1 }], [[1], {}, {}], [5, nil, 5]].each do |sent, default, expected|
      value = sent
      got = client.value("f", "u", default: default)
      assert_equal [expected, expected.class], [got, got.class], "#{sent} for #{default.inspect}"
    end
    assert_equal 5, client.stats[:defaults]["TYPE_MISMATCH"]
  end

  def test_answers_that_cannot_be_used
    {
      "INVALID_RESPONSE" => ["\x00\xFFgarbage\n", FakeSidecar.http("{"), FakeSidecar.http("[]"), FakeSidecar.http("{}"),
                             "HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n", FakeSidecar.http("{\"a\": \"\xFF\"}")],
      "GENERAL" => [FakeSidecar.http("oops", "500 Internal"), FakeSidecar.http("{}", "401 Unauthorized")],
      "FLAG_NOT_FOUND" => [FakeSidecar.http('{"errorCode": "FLAG_NOT_FOUND"}', "404 Not Found")]
    }.each do |error, answers|
      answers.each { |answer| assert_equal error, error_of(client(fake { answer }.url)), answer[0, 60].inspect }
    end
  end

  def test_half_an_answer_is_broken
    sidecar = fake do |socket|
      socket.write(FakeSidecar.evaluation[0..-10])
      :close
    end
    assert_equal "BROKEN", error_of(client(sidecar.url))
  end

  def test_deadline_holds_for_silence_and_for_a_trickle
    silent = TCPServer.new("127.0.0.1", 0)
    assert_equal "TIMEOUT", error_of(client("http://127.0.0.1:#{silent.addr[1]}"))
    trickle = fake do |socket|
      FakeSidecar.evaluation.each_char { |char| sleep 0.02 if socket.write(char) }
      :close
    end
    assert_equal "TIMEOUT", error_of(client(trickle.url))
  ensure
    silent&.close
  end

  def test_chunked_answers_after_interim_ones
    chunked = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    FakeSidecar.evaluation.split("\r\n\r\n", 2).last.scan(/.{1,7}/) { |part| chunked += "#{part.size.to_s(16)};x\r\n#{part}\r\n" }
    client = client(fake { "#{chunked}0\r\nTrailer: x\r\n\r\n" }.url)
    2.times { assert client.active?("f", "u") }
  end

  def test_kept_connection_that_ends_is_replaced_once
    accepted = Queue.new
    times = Hash.new(0)
    sidecar = fake do |socket|
      accepted << socket if times[socket].zero?
      (times[socket] += 1) == 1 ? FakeSidecar.evaluation : :close
    end
    client = client(sidecar.url, timeout_ms: 1000)
    3.times { assert_equal "", error_of(client) }
    assert_equal 3, accepted.size
  end

  def test_pause_after_five_troubles_and_its_end
    port = free_port
    client = client("http://127.0.0.1:#{port}")
    assert_equal ["REFUSED"] * 5 + ["PAUSED"] * 2, Array.new(7) { error_of(client) }
    fake(port)
    began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    Thread.pass until error_of(client).empty?
    assert_operator Process.clock_gettime(Process::CLOCK_MONOTONIC) - began, :<, 0.3
  end

  def test_nothing_raises_whatever_is_passed
    circle = {}
    circle["circle"] = circle
    client = client(fake.url)
    [circle, { a: Float::NAN }, { a: "\xFF" }, 5, Object.new].each do |attributes|
      assert_equal "INVALID_CONTEXT", client.evaluate("f", "u", attributes: attributes, default: 1).error
    end
    assert_equal "GENERAL", client.evaluate(BasicObject.new, "u", default: 1).error
    client.success(BasicObject.new, latency_ms: "fast")
    assert client.active?(:f, nil, attributes: nil)
    client.close
    assert_equal "CLOSED", client.evaluate("f", "u", default: 1).error
  end

  def test_settings_that_cannot_be_right
    [{ url: "https://h" }, { url: "h:1" }, { url: "http://h/path" }, { url: "unix:/#{"a" * 200}" }, { timeout_ms: 0 },
     { proxy_url: "unix:/p" }, { token: "a\nb" }, { max_outcomes: 0 }, { flush_interval_ms: Float::NAN }].each do |settings|
      assert_raises(ArgumentError, settings.inspect) { client("http://127.0.0.1:1", **settings) }
    end
  end

  def test_outcomes_go_by_flag_and_in_batches
    sidecar = fake { FakeSidecar.http("{}", "202 Accepted") }
    client = client(sidecar.url, flush_interval_ms: 60_000)
    999.times { client.success("f", latency_ms: 12.5) }
    assert_empty sidecar.requests
    client.failure("g")
    path, _, outcomes = sidecar.requests.pop # a thousand wait for nothing
    assert_equal ["/v1/flags/f/outcomes", 999, "success", 12.5], [path, outcomes.size, *outcomes[0].values_at("outcome", "latency_ms")]
    assert_in_delta Time.now.to_f * 1000, outcomes[0]["began_ms"], 2000
    assert_equal ["/v1/flags/g/outcomes", "failure"], sidecar.requests.pop.then { |path, _, sent| [path, sent[0]["outcome"]] }
    assert client.flush
    assert_equal 1000, client.stats[:outcomes_sent]
  end

  def test_outcomes_are_kept_while_the_sidecar_is_away_and_the_oldest_dropped
    port = free_port
    client = client("http://127.0.0.1:#{port}", flush_interval_ms: 20, max_outcomes: 3)
    5.times { |number| client.success("f", latency_ms: number) }
    refute client.flush
    assert_equal [3, 2], client.stats.values_at(:outcomes_waiting, :outcomes_dropped)
    sidecar = fake(port) { FakeSidecar.http("{}", "202 Accepted") }
    assert_equal [2, 3, 4], sidecar.requests.pop.last.map { |outcome| outcome["latency_ms"] }
  end

  def test_busy_sidecar_gets_outcomes_again_and_a_refusal_is_final
    statuses = ["503 Busy", "429 Too Many", "400 Bad"]
    sidecar = fake { FakeSidecar.http("{}", statuses.shift, "Retry-After: 0\r\n") }
    client = client(sidecar.url, flush_interval_ms: 60_000)
    client.success("f")
    assert_equal [false, false, false, true], Array.new(4) { client.flush }
    assert_equal [1, 0], client.stats.values_at(:outcomes_refused, :outcomes_waiting)
  end

  def test_not_before_retry_after
    sidecar = fake { FakeSidecar.http("{}", "429 Too Many", "Retry-After: 60\r\n") }
    client = client(sidecar.url, flush_interval_ms: 60_000)
    client.success("f")
    2.times { refute client.flush }
    assert_equal 1, sidecar.requests.size
  end

  def test_guard
    sidecar = fake { FakeSidecar.http("{}", "202 Accepted") }
    client = client(sidecar.url, flush_interval_ms: 60_000)
    assert_equal 5, client.guard("f") { 5 }
    assert_equal 5, client.guard("f", failure_if: ->(result) { result == 5 }) { 5 }
    assert_equal(5, client.guard("f", failure_if: ->(_) { raise "predicate" }) { 5 })
    assert_equal(6, client.guard("f") { break 6 })
    assert_raises(IOError) { client.guard("f") { raise IOError } }
    assert_raises(IOError) { client.guard("f", failure_if_raised: ->(_) { false }) { raise IOError } }
    client.flush
    assert_equal %w[success failure success success failure success], sidecar.requests.pop.last.map { |sent| sent["outcome"] }
  end

  def test_child_of_a_fork_starts_over
    sidecar = fake { |_, path| path.end_with?("outcomes") ? FakeSidecar.http("{}", "202 Accepted") : FakeSidecar.evaluation }
    client = client(sidecar.url, flush_interval_ms: 60_000, timeout_ms: 1000)
    client.active?("f", "parent")
    client.success("f")
    from_child, to_parent = IO.pipe
    child = fork do
      before = client.stats
      client.success("f")
      to_parent.puts JSON.generate([before, client.active?("f", "child"), client.flush, client.stats])
      exit!
    end
    Process.wait(child)
    before, active, flushed, after = JSON.parse(from_child.gets)
    assert_equal [0, 0, true, true], [before["questions"], before["outcomes_waiting"], active, flushed]
    assert_equal [1, 1], after.values_at("questions", "outcomes_sent")
    assert client.active?("f", "parent")
    assert_equal [2, 1], client.stats.values_at(:questions, :outcomes_waiting)
  ensure
    [from_child, to_parent].each(&:close)
  end

  def test_client_sends_what_waits_when_the_program_ends
    sidecar = fake { FakeSidecar.http("{}", "202 Accepted") }
    program = "Tailslide::Client.new(url: ARGV[0], flush_interval_ms: 60_000).success('f')"
    assert system("ruby", "-r", File.expand_path("../lib/tailslide_client", __dir__), "-e", program, sidecar.url)
    assert_equal 1, sidecar.requests.size
  end

  def test_log_has_one_line_and_neither_token_nor_attributes
    client = client(fake { FakeSidecar.http('{"errorDetails": "user DE"}', "401 Unauthorized") }.url, token: "s3cret")
    3.times { client.active?("f", "u", attributes: { country: "DE" }) }
    client.close
    assert_match(/1 questions got their defaults; the latest: GENERAL HTTP status 401$/, @log.string)
    assert_equal 1, @log.string.lines.size
    refute_match(/s3cret|DE/, @log.string)
  end

  def test_unix_socket
    path = File.join(Dir.tmpdir, "tailslide-#{Process.pid}.sock")
    server = UNIXServer.new(path)
    answering = Thread.new { server.accept.tap { |socket| socket.gets("\r\n\r\n") }.write(FakeSidecar.evaluation) }
    assert client("unix:#{path}").active?("f", "u")
  ensure
    answering&.join
    server&.close
    File.unlink(path) if path
  end

  def test_calls_through_the_proxy
    proxy = TCPServer.new("127.0.0.1", 0)
    client = client("http://127.0.0.1:1", proxy_url: "http://127.0.0.1:#{proxy.addr[1]}/")
    line = Thread.new do
      socket = proxy.accept
      head = socket.gets("\r\n\r\n")
      socket.write(FakeSidecar.http("paid"))
      head.lines.first
    end
    assert_equal "paid", client.http.get(URI("http://payments.internal/pay"))
    assert_equal "GET http://payments.internal/pay HTTP/1.1\r\n", line.value
    assert_equal "http://127.0.0.1:#{proxy.addr[1]}/pay", client.proxy_url("/pay")
  ensure
    proxy.close
  end
end
