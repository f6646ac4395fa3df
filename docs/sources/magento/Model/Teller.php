<?php

declare(strict_types=1);

namespace Orderack\Orders\Model;

use Magento\Framework\HTTP\Client\CurlFactory;
use Magento\Framework\Serialize\Serializer\Json;
use Psr\Log\LoggerInterface;

/**
 * The queue's consumer: posts what an observer has left, in a process of its own, so that no buyer waits for it.
 *
 * What is not taken after three attempts is given up: orderack asks the shop every minute for what it was not told.
 */
class Teller
{
    /** Seconds to wait before each attempt. */
    private const WAITS = [0, 2, 10];
    private const CONNECT_SECONDS = 5;
    private const TOTAL_SECONDS = 15;

    public function __construct(
        private Settings $settings,
        private Signature $signature,
        private CurlFactory $curls,
        private Json $json,
        private LoggerInterface $logger
    ) {
    }

    /**
     * @param string $message what the observer left: id, store and body
     */
    public function tell(string $message): void
    {
        $left = $this->json->unserialize($message);
        $store = (int)$left['store'];
        if (!$this->settings->isOn($store)) {
            return;
        }
        $status = 0;
        foreach (self::WAITS as $wait) {
            sleep($wait);
            $status = $this->post($store, (string)$left['id'], (string)$left['body']);
            if (!$this->mayBeTakenLater($status)) {
                break;
            }
        }
        if ($status !== 200) {
            $this->logger->warning('orderack did not take ' . $left['id'] . ': ' . $status);
        }
    }

    /**
     * The answer's status; 0 where there was none.
     */
    private function post(int $store, string $id, string $body): int
    {
        $curl = $this->curls->create();
        $curl->setTimeout(self::TOTAL_SECONDS);
        $curl->setOption(CURLOPT_CONNECTTIMEOUT, self::CONNECT_SECONDS);
        $curl->setHeaders($this->signature->headers($this->settings->key($store), $id, time(), $body));
        try {
            $curl->post($this->settings->url($store), $body);
        } catch (\Exception $error) {
            return 0;
        }

        return (int)$curl->getStatus();
    }

    private function mayBeTakenLater(int $status): bool
    {
        return $status === 0 || $status === 429 || $status >= 500;
    }
}
