<?php

declare(strict_types=1);

namespace Orderack\Orders\Model;

/**
 * Standard Webhooks (standardwebhooks.com): HMAC-SHA256 over `id.seconds.body`.
 */
class Signature
{
    /**
     * The headers that prove these bytes. `$id` stays the same at every attempt, `$seconds` is the attempt's time.
     *
     * @return array<string, string>
     */
    public function headers(string $key, string $id, int $seconds, string $body): array
    {
        $mac = hash_hmac('sha256', $id . '.' . $seconds . '.' . $body, $key, true);

        return [
            'Content-Type' => 'application/json',
            'webhook-id' => $id,
            'webhook-timestamp' => (string)$seconds,
            'webhook-signature' => 'v1,' . base64_encode($mac),
        ];
    }
}
