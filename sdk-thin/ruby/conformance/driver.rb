# frozen_string_literal: true

# Does what the scenarios of tests/conformance/clients say, one JSON object a line, with the client as an application
# uses it.

require "json"
require "net/http"
require_relative "../lib/tailslide_client"

class Driver
  SETTINGS = %w[url token proxy_url timeout_ms flush_interval_ms max_outcomes].freeze
  QUESTIONS = { "is_active" => :active?, "variant" => :variant, "value" => :value, "evaluate" => :evaluate }.freeze

  def initialize
    @client = nil
  end

  def run
    $stdout.sync = true
    $stdin.each_line do |line|
      answer = begin
        answer(JSON.parse(line))
      rescue StandardError => e
        { "raised" => "#{e.class}: #{e.message}" }
      end
      puts JSON.generate(answer)
    end
    @client&.close
  end

  private

  def answer(request)
    flag = request["flag"]
    case request["do"]
    when "open" then open(request)
    when *QUESTIONS.keys then timed { ask(request) }
    when "success", "failure" then timed { report(request) }.slice("ms")
    when "guard" then timed { guard(request) }
    when "flush" then timed { @client.flush(*request["timeout_ms"]) }
    when "stats" then { "result" => @client.stats }
    when "proxy_url" then { "result" => @client.proxy_url(request["path"]) }
    when "proxied" then { "result" => proxied(request["url"]) }
    when "close" then timed { @client.close }.slice("ms")
    when "load" then load(flag, request["seconds"], request["calls_per_s"], request["workers"])
    when "crowd" then crowd(flag, request["workers"], request["calls"])
    when "fork" then forked(flag, request["calls"])
    when "overhead" then overhead(flag, request["calls"])
    else { "unsupported" => true }
    end
  end

  def open(request)
    @client&.close
    settings = request.slice(*SETTINGS).transform_keys(&:to_sym)
    @client = Tailslide::Client.new(**settings)
    @url = URI(request["url"]) if request["url"]
    @token = request["token"]
    {}
  end

  def ask(request)
    options = { attributes: request["attributes"], default: request["default"] }
    options[:default] = false if request["do"] == "is_active" && options[:default].nil?
    result = @client.public_send(QUESTIONS.fetch(request["do"]), request["flag"], request["targeting_key"], **options)
    result.is_a?(Tailslide::Evaluation) ? result.to_h : result
  end

  def report(request)
    options = request.slice("latency_ms").transform_keys(&:to_sym)
    request.fetch("times", 1).times { @client.public_send(request["do"], request["flag"], **options) }
  end

  def guard(request)
    predicates = case request["failure"]
                 when "result" then { failure_if: ->(result) { result == "result" } }
                 when "no_exception" then { failure_if_raised: ->(_) { false } }
                 when "raises" then { failure_if: ->(_) { raise "as told" }, failure_if_raised: ->(_) { raise "as told" } }
                 else {}
                 end
    result = @client.guard(request["flag"], **predicates) do
      raise IOError, "as told" if request["block"] == "raises"

      sleep 0.02 if request["block"] == "sleeps"
      "result"
    end
    result == "result" ? "returned" : "changed"
  rescue IOError
    "raised"
  end

  def proxied(url)
    response = @client.http.get_response(URI(url))
    { "status" => response.code.to_i, "body" => response.body }
  rescue StandardError => e
    { "error" => e.message }
  end

  # One question with the key as the value that is expected, into a tally.
  def tally(flag, key, tally)
    evaluation = nil
    ms = timed { evaluation = @client.evaluate(flag, key, default: nil) }["ms"]
    tally << [ms, evaluation.error.empty?, evaluation.value == key, (Time.now.to_f * 1000).round]
  rescue StandardError
    tally << nil
  end

  def load(flag, seconds, calls_per_s, workers)
    began = now
    every = workers.fdiv(calls_per_s)
    tallies = at_once(workers) do |worker, tally|
      due = began + every * worker / workers
      while due < began + seconds
        sleep [due - now, 0].max
        tally(flag, "load-#{worker}-#{due}", tally)
        due += every
      end
    end
    asked = tallies.compact
    answered, defaults = asked.partition { |_, answered| answered }
    { "calls" => tallies.size, "raised" => tallies.count(nil), "ms" => asked.map(&:first).sort,
      "answered_at" => answered.map(&:last), "defaults_at" => defaults.map(&:last) }
  end

  def crowd(flag, workers, calls)
    before = Thread.list.size
    tallies = at_once(workers) { |worker, tally| calls.times { |call| tally(flag, "crowd-#{worker}-#{call}", tally) } }
    rest_until = now + 2
    sleep 0.01 while Thread.list.size > before && now < rest_until
    { **counts(tallies), "calls" => tallies.size, "threads_left" => Thread.list.size - before,
      "ms" => tallies.compact.map(&:first).sort }
  end

  def counts(tallies)
    asked = tallies.compact
    { "mixed" => asked.count { |_, answered, right| answered && !right },
      "defaults" => asked.count { |_, answered| !answered }, "raised" => tallies.count(nil) }
  end

  def at_once(workers)
    gate = Queue.new
    threads = Array.new(workers) do |worker|
      Thread.new do
        gate.pop
        [].tap { |tally| yield worker, tally }
      end
    end
    gate.close
    threads.flat_map(&:value)
  end

  def forked(flag, calls)
    from_child, to_parent = IO.pipe
    pid = fork do
      from_child.close
      to_parent.puts JSON.generate(half(flag, "child", calls))
      to_parent.close
    end
    to_parent.close
    parent = half(flag, "parent", calls)
    child = JSON.parse(from_child.read)
    Process.wait(pid)
    { "parent" => parent, "child" => child }
  ensure
    from_child&.close
  end

  def half(flag, name, calls)
    before = @client.stats[:outcomes_sent]
    tally = []
    calls.times do |call|
      tally(flag, "#{name}-#{call}", tally)
      @client.success(flag)
    end
    @client.flush
    { **counts(tally), "sent" => @client.stats[:outcomes_sent] - (name == "child" ? 0 : before) }
  end

  def overhead(flag, calls)
    return { "unsupported" => true } unless @url.is_a?(URI::HTTP)

    answer = { "bare_us" => [], "ask_us" => [], "outcome_us" => [] }
    Net::HTTP.start(@url.host, @url.port, nil) do |http|
      calls.times do
        answer["bare_us"] << timed { bare(http, flag) }["ms"] * 1000
        answer["ask_us"] << timed { @client.active?(flag, "user-42") }["ms"] * 1000
        answer["outcome_us"] << timed { @client.success(flag) }["ms"] * 1000
      end
    end
    answer
  end

  def bare(http, flag)
    request = Net::HTTP::Post.new("/ofrep/v1/evaluate/flags/#{flag}", { "Content-Type" => "application/json" })
    request["Authorization"] = "Bearer #{@token}" if @token
    request.body = JSON.generate({ context: { targetingKey: "user-42" } })
    JSON.parse(http.request(request).body)
  end

  def timed
    began = now
    result = yield
    { "result" => result, "ms" => (now - began) * 1000 }
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end

Driver.new.run
