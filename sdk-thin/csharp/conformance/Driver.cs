using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using Tailslide;
using Json = Tailslide.TailslideClient.Json;
using Map = System.Collections.Generic.Dictionary<string, object>;

/// <summary>
/// Does what the scenarios of tests/conformance/clients say, one JSON object a line, with the client as an application uses
/// it. Built with the client only for its JSON, which netstandard2.0 has none of.
/// </summary>
internal static class Driver
{
    private static TailslideClient _client;
    private static string _url;
    private static string _token;

    private static void Main()
    {
        TailslideClient.Log.Listeners.Add(new ConsoleTraceListener(true));
        ServicePointManager.Expect100Continue = false;
        WarmUp();
        var input = new StreamReader(Console.OpenStandardInput(), new UTF8Encoding(false));
        var output = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false)) { AutoFlush = true };
        for (string line = input.ReadLine(); line != null; line = input.ReadLine())
        {
            Map answer;
            try
            {
                answer = Answer((Map)Json.Read(line));
            }
            catch (Exception e)
            {
                answer = new Map { ["raised"] = e.Message };
            }
            output.WriteLine(Json.Write(answer));
        }
        _client?.Dispose();
    }

    /// <summary>Mono compiles what is called for the first time, which takes longer than a question may.</summary>
    private static void WarmUp()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        string body = "{\"value\":1,\"variant\":\"on\",\"reason\":\"STATIC\"}";
        byte[] answer = Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        listener.AcceptSocketAsync().ContinueWith(accepted => accepted.Result.Send(answer));
        using (var client = new TailslideClient($"http://{listener.LocalEndpoint}", timeout: TimeSpan.FromSeconds(2)))
            client.Evaluate("warm-up", "user-42", null, null);
        listener.Stop();
    }

    private static Map Answer(Map request)
    {
        string flag = Text(request, "flag");
        switch (Text(request, "do"))
        {
            case "open":
                return Open(request);
            case "is_active":
            case "variant":
            case "value":
            case "evaluate":
                return Timed(() => Ask(request));
            case "success":
                return Reported(request, _client.Success);
            case "failure":
                return Reported(request, _client.Failure);
            case "guard":
                return Timed(() => Guard(request));
            case "flush":
                return Timed(() => _client.Flush(Time(request, "timeout_ms")));
            case "stats":
                return Result(Stats());
            case "proxy_url":
                return Result(_client.ProxyUrl(Text(request, "path")));
            case "proxied":
                return Result(Proxied(Text(request, "url")));
            case "close":
                return Timed(_client.Dispose);
            case "load":
                return Load(flag, Number(request, "seconds"), Number(request, "calls_per_s"), (int)Number(request, "workers"));
            case "crowd":
                return Crowd(flag, (int)Number(request, "workers"), (int)Number(request, "calls"));
            case "overhead":
                return Overhead(flag, (int)Number(request, "calls"));
            default:
                return new Map { ["unsupported"] = true };
        }
    }

    private static Map Open(Map request)
    {
        _client?.Dispose();
        _url = Text(request, "url");
        _token = Text(request, "token");
        _client = new TailslideClient(
            _url, _token, Text(request, "proxy_url"), Time(request, "timeout_ms"), Time(request, "flush_interval_ms"),
            Field(request, "max_outcomes") == null ? 10000 : (int)Number(request, "max_outcomes"));
        return new Map();
    }

    private static object Ask(Map request)
    {
        string flag = Text(request, "flag"), key = Text(request, "targeting_key");
        var attributes = (Map)Field(request, "attributes");
        object fallback = Field(request, "default");
        switch (Text(request, "do"))
        {
            case "is_active":
                return _client.IsActive(flag, key, attributes, true.Equals(fallback));
            case "variant":
                return _client.Variant(flag, key, attributes, (string)fallback);
            case "evaluate":
                return Fields(_client.Evaluate(flag, key, attributes, fallback));
        }
        if (fallback is bool)
            return _client.Value(flag, key, attributes, (bool)fallback);
        if (fallback is long)
            return _client.Value(flag, key, attributes, (long)fallback);
        if (fallback is double)
            return _client.Value(flag, key, attributes, (double)fallback);
        if (fallback is string)
            return _client.Value(flag, key, attributes, (string)fallback);
        if (fallback is Map)
            return _client.Value(flag, key, attributes, (Map)fallback);
        return _client.Value(flag, key, attributes, fallback);
    }

    private static Map Fields(Evaluation evaluation) => new Map
    {
        ["flag"] = evaluation.Flag,
        ["value"] = evaluation.Value,
        ["variant"] = evaluation.Variant,
        ["active"] = evaluation.Active,
        ["reason"] = evaluation.Reason,
        ["metadata"] = evaluation.Metadata,
        ["error"] = evaluation.Error,
        ["error_details"] = evaluation.ErrorDetails,
    };

    private static Map Reported(Map request, Action<string, TimeSpan?> report)
    {
        string flag = Text(request, "flag");
        var latency = Time(request, "latency_ms");
        int times = Field(request, "times") == null ? 1 : (int)Number(request, "times");
        return Timed(() =>
        {
            for (int time = 0; time < times; time++)
                report(flag, latency);
        });
    }

    private static string Guard(Map request)
    {
        string block = Text(request, "block"), failure = Text(request, "failure");
        Func<string, bool> failureIf = null;
        Func<Exception, bool> failureIfThrown = null;
        if (failure == "result")
            failureIf = result => result == "result";
        if (failure == "no_exception")
            failureIfThrown = thrown => false;
        if (failure == "raises")
        {
            failureIf = result => throw new InvalidOperationException("as told");
            failureIfThrown = thrown => throw new InvalidOperationException("as told");
        }
        try
        {
            string result = _client.Guard(
                Text(request, "flag"),
                () =>
                {
                    if (block == "raises")
                        throw new IOException("as told");
                    if (block == "sleeps")
                        Thread.Sleep(20);
                    return "result";
                },
                failureIf,
                failureIfThrown);
            return result == "result" ? "returned" : "changed";
        }
        catch (IOException)
        {
            return "raised";
        }
    }

    private static Map Stats()
    {
        var stats = _client.Stats();
        return new Map
        {
            ["questions"] = stats.Questions,
            ["defaults"] = stats.Defaults,
            ["outcomes_sent"] = stats.OutcomesSent,
            ["outcomes_dropped"] = stats.OutcomesDropped,
            ["outcomes_refused"] = stats.OutcomesRefused,
            ["outcomes_waiting"] = stats.OutcomesWaiting,
        };
    }

    private static Map Proxied(string url)
    {
        try
        {
            using (var response = _client.Http.GetAsync(url).GetAwaiter().GetResult())
            {
                string body = response.Content.ReadAsStringAsync().GetAwaiter().GetResult();
                return new Map { ["status"] = (int)response.StatusCode, ["body"] = body };
            }
        }
        catch (Exception e)
        {
            return new Map { ["error"] = e.Message };
        }
    }

    private sealed class Asked
    {
        public double Ms;
        public bool Raised, Answered, Mixed;
        public long At;
    }

    private static Asked AskOnce(string flag, string key)
    {
        var asked = new Asked();
        var watch = Stopwatch.StartNew();
        try
        {
            var evaluation = _client.Evaluate(flag, key, null, null);
            asked.Answered = evaluation.Error == "";
            asked.Mixed = asked.Answered && !key.Equals(evaluation.Value);
        }
        catch (Exception)
        {
            asked.Raised = true;
        }
        asked.Ms = watch.Elapsed.TotalMilliseconds;
        asked.At = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        return asked;
    }

    private static Map Load(string flag, double seconds, double callsPerS, int workers)
    {
        var clock = Stopwatch.StartNew();
        double every = workers / callsPerS;
        var all = AtOnce(workers, (worker, add) =>
        {
            int call = 0;
            for (double due = every * worker / workers; due < seconds; due += every)
            {
                double left = due - clock.Elapsed.TotalSeconds;
                if (left > 0)
                    Thread.Sleep(TimeSpan.FromSeconds(left));
                add(AskOnce(flag, $"load-{worker}-{call++}"));
            }
        });
        return new Map
        {
            ["calls"] = all.Count,
            ["raised"] = all.Count(asked => asked.Raised),
            ["ms"] = all.Select(asked => asked.Ms).OrderBy(ms => ms).ToList(),
            ["answered_at"] = all.Where(asked => asked.Answered).Select(asked => asked.At).ToList(),
            ["defaults_at"] = all.Where(asked => !asked.Answered && !asked.Raised).Select(asked => asked.At).ToList(),
        };
    }

    private static Map Crowd(string flag, int workers, int calls)
    {
        int before = Process.GetCurrentProcess().Threads.Count;
        var all = AtOnce(workers, (worker, add) =>
        {
            for (int call = 0; call < calls; call++)
                add(AskOnce(flag, $"crowd-{worker}-{call}"));
        });
        var rest = Stopwatch.StartNew();
        while (Process.GetCurrentProcess().Threads.Count > before && rest.ElapsedMilliseconds < 2000)
            Thread.Sleep(10);
        return new Map
        {
            ["calls"] = all.Count,
            ["raised"] = all.Count(asked => asked.Raised),
            ["mixed"] = all.Count(asked => asked.Mixed),
            ["defaults"] = all.Count(asked => !asked.Answered && !asked.Raised),
            ["threads_left"] = Process.GetCurrentProcess().Threads.Count - before,
            ["ms"] = all.Select(asked => asked.Ms).OrderBy(ms => ms).ToList(),
        };
    }

    private static List<Asked> AtOnce(int workers, Action<int, Action<Asked>> work)
    {
        var all = new ConcurrentQueue<Asked>();
        var gate = new ManualResetEventSlim();
        var threads = Enumerable.Range(0, workers).Select(worker => new Thread(() =>
        {
            gate.Wait();
            work(worker, all.Enqueue);
        })).ToList();
        threads.ForEach(thread => thread.Start());
        gate.Set();
        threads.ForEach(thread => thread.Join());
        return all.ToList();
    }

    private static Map Overhead(string flag, int calls)
    {
        var bare = new List<double>();
        var ask = new List<double>();
        var outcome = new List<double>();
        for (int call = 0; call < calls; call++)
        {
            bare.Add(1000 * (double)Timed(() => Bare(flag))["ms"]);
            ask.Add(1000 * (double)Timed(() => _client.IsActive(flag, "user-42"))["ms"]);
            outcome.Add(1000 * (double)Timed(() => _client.Success(flag))["ms"]);
        }
        return new Map { ["bare_us"] = bare, ["ask_us"] = ask, ["outcome_us"] = outcome };
    }

    private static string Bare(string flag)
    {
        var request = WebRequest.CreateHttp($"{_url}/ofrep/v1/evaluate/flags/{flag}");
        request.Method = "POST";
        request.ContentType = "application/json";
        request.Proxy = null;
        if (_token != null)
            request.Headers["Authorization"] = $"Bearer {_token}";
        using (var body = request.GetRequestStream())
        {
            byte[] question = Encoding.UTF8.GetBytes("{\"context\":{\"targetingKey\":\"user-42\"}}");
            body.Write(question, 0, question.Length);
        }
        using (var response = request.GetResponse())
        using (var reader = new StreamReader(response.GetResponseStream()))
            return reader.ReadToEnd();
    }

    private static Map Timed(Action call)
    {
        var watch = Stopwatch.StartNew();
        call();
        return new Map { ["ms"] = watch.Elapsed.TotalMilliseconds };
    }

    private static Map Timed<T>(Func<T> call)
    {
        var watch = Stopwatch.StartNew();
        T result = call();
        return new Map { ["ms"] = watch.Elapsed.TotalMilliseconds, ["result"] = result };
    }

    private static Map Result(object result) => new Map { ["result"] = result };

    private static object Field(Map request, string name) => request.TryGetValue(name, out object value) ? value : null;

    private static string Text(Map request, string name) => (string)Field(request, name);

    private static double Number(Map request, string name) => Convert.ToDouble(Field(request, name));

    private static TimeSpan? Time(Map request, string name)
        => Field(request, name) == null
            ? (TimeSpan?)null
            : TimeSpan.FromTicks((long)(Number(request, name) * TimeSpan.TicksPerMillisecond));
}
